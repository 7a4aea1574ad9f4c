// Package policy tries the rule by which threads stay home or leave, module/rule.c,
// compiled for this machine, on programs that are simulated.
package policy

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// program is one that is simulated, and the rule's parameters; testdata/driver.c says
// what they mean.
type program struct {
	passage, tick, stay, patience time.Duration
	loss                          int // thousandths
	limit, crowd, pace            time.Duration
	varies                        int // percent
	period                        time.Duration
	seed                          int
}

// Values of crowd.
const (
	alone   time.Duration = 0
	crowded time.Duration = 1
)

// usual has the module's parameters on a machine with 250 ticks a second.
func usual(passage, limit, crowd, pace time.Duration) program {
	return program{passage: passage, tick: 4 * time.Millisecond, stay: 10 * time.Millisecond,
		patience: time.Millisecond, loss: 10, limit: limit, crowd: crowd, pace: pace}
}

// outcome is what became of it.
type outcome struct {
	home, away, lost        time.Duration
	passages, leaves, stays int
	left                    time.Duration // when it first left
	failures                int
}

func (o outcome) total() time.Duration { return o.home + o.away + o.lost }

// buildDriver compiles the rule.
func buildDriver(t *testing.T) string {
	t.Helper()
	driver := filepath.Join(t.TempDir(), "driver")
	build := exec.Command("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-I", "testdata", "-I", "../../module",
		"-include", "host.h", "-o", driver, "testdata/driver.c", "../../module/rule.c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return driver
}

func (p program) run(t *testing.T, driver string) (o outcome) {
	t.Helper()
	var args []string
	for _, n := range []int64{int64(p.passage), int64(p.tick), int64(p.stay), int64(p.patience), int64(p.loss),
		int64(p.limit), int64(p.crowd), int64(p.pace), int64(p.varies), int64(p.period), int64(p.seed)} {
		args = append(args, fmt.Sprint(n))
	}
	out, err := exec.Command(driver, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &o.home, &o.away, &o.lost, &o.passages, &o.leaves, &o.stays, &o.left, &o.failures); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return o
}
