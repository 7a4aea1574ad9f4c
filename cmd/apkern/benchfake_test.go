package main

import (
	"os"
	"strings"
	"syscall"

	"apkern/internal/bench"
	"apkern/internal/bench/benchfake"
	"apkern/internal/bench/runner"
)

// fakeBenchMachine is the machine of bench run in scripts. Its environment says how
// it behaves: BENCH_MISSING, BENCH_MISPLACED, BENCH_SLOWER; the file
// bench-interrupt names a benchmark whose second adopted run is interrupted by SIGINT: a
// file is seen in a machine, too.
func fakeBenchMachine(*bench.Plan) (runner.Machine, error) {
	m := &benchfake.Machine{Misplaced: os.Getenv("BENCH_MISPLACED"), Missing: strings.Fields(os.Getenv("BENCH_MISSING"))}
	if os.Getenv("BENCH_SLOWER") != "" {
		m.Slower = 1.5
	}
	if name, err := os.ReadFile("bench-interrupt"); err == nil {
		m.Stuck = strings.TrimSpace(string(name))
		m.Ran = func(r *bench.Run) {
			if m.IsStuck(r) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGINT) // a process may
			}
		}
	}
	return m, nil
}
