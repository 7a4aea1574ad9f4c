package guest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// each runs test programs as subtests, each checking itself away. Its standard
// output must be that of a native run: a program writes there only what does not
// depend on where it runs.
func each(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		t.Run(c, func(t *testing.T) {
			argv := strings.Fields(c)
			argv[0] = program(argv[0])
			want := run(t, native, command{argv: argv})
			if want.Status == statusNoAVX2 {
				t.Skip("this processor has no AVX2")
			}
			if want.Status != 0 {
				t.Fatalf("natively: status %d: %s", want.Status, want.Stderr)
			}
			got := succeed(t, preload, argv...)
			if diff := cmp.Diff(want.Stdout, got.Stdout); diff != "" {
				t.Errorf("differs from native (-native +away):\n%s", diff)
			}
		})
	}
}

// TestSignals: registers, codes and addresses that a handler sees, stacks,
// interrupted calls, jumps, stops, changed contexts, storms and timers.
func TestSignals(t *testing.T) {
	begin(t)
	each(t, "registers", "faultcodes", "singlestep", "altstack", "eintr", "longjmp 500",
		"ucontext", "stopcont", "storm 3000", "itimers", "recall 3000")
}

// TestFPU: no floating-point register is lost or swapped by anything that
// happens to a thread that is away.
func TestFPU(t *testing.T) {
	begin(t)
	each(t, "fpu")
}

// TestSegments: FS and GS bases and selectors belong to the thread.
func TestSegments(t *testing.T) {
	begin(t)
	each(t, "segments")
}

// TestRseq: per-CPU counters by restartable sequences lose nothing, with fewer
// and with more threads than CPUs.
func TestRseq(t *testing.T) {
	begin(t)
	mode := rseqMode(t)
	if mode == "" {
		each(t, "rseq 8 1500 faults")
	}
	each(t, "rseq 3 200000"+mode, "rseq 8 100000"+mode, "rseq 3 100000 ids"+mode, "rseq 8 50000 ids"+mode)
}

// TestCPUTime: time away is charged to thread and process on every clock.
func TestCPUTime(t *testing.T) {
	begin(t)
	each(t, "cputime")
}

// TestProcesses: children of every kind are away before they do anything, and a
// process ends in every way although its other threads spin away.
func TestProcesses(t *testing.T) {
	begin(t)
	each(t, "forks", "calls")
}

// TestAwayProofFailsNatively: each program that claims to have been away says so
// when it was not: without adoption it ends with the status for that.
func TestAwayProofFailsNatively(t *testing.T) {
	begin(t)
	for _, c := range []string{
		"parallel 2 10", "parallel -p 2 10", "registers 1", "faultcodes", "singlestep 1", "altstack",
		"eintr", "longjmp 20", "ucontext 1", "stopcont 1", "storm 100", "itimers", "recall 10",
		"fpu 1", "segments 1", "rseq 1 10000", "cputime 10", "forks", "calls",
		"coherence remap 1 10", "protect 10", "cowfork 10", "topentry 1", "futexop 100",
		"cpuclocks", "cputimers", "ptraceregs", "ptraceops", "corepattern", "pkeys", "ldt", "compat32", "oddcode",
		"namespaces", "static", "gospin", "fatal exit", "debugme", "spinner", "share 100 4",
	} {
		t.Run(c, func(t *testing.T) {
			argv := strings.Fields(c)
			argv[0] = program(argv[0])
			unadopted := way{name: "not adopted", env: []string{"WHERE=out"}}
			o := run(t, unadopted, command{argv: argv, env: []string{"AWAY_SECONDS=0.2"}})
			if o.Status != statusNotAway {
				t.Errorf("status %d, not %d\n%s%s", o.Status, statusNotAway, o.Stdout, o.Stderr)
			}
		})
	}
}

// TestParallel: threads and processes on application CPUs of their own at the
// same time, as CPUID tells.
func TestParallel(t *testing.T) {
	begin(t)
	cpus := len(cpuList(t, "cpus"))
	for _, w := range []way{preload, viaRun} {
		t.Run(w.name, func(t *testing.T) {
			succeed(t, w, program("parallel"), strconv.Itoa(cpus), "500")
			succeed(t, w, program("parallel"), "-p", strconv.Itoa(cpus), "500")
		})
	}
}

// TestCrowd: more spinning threads than CPUs all get on, and have all been away.
func TestCrowd(t *testing.T) {
	begin(t)
	o := succeed(t, preload, program("spin"), "8", "100")
	ours := cpuList(t, "cpus")
	for _, line := range strings.Split(o.Stdout, "\n")[:8] {
		_, ids, found := strings.Cut(line, "APIC ids")
		if !found || !strings.ContainsFunc(ids, func(r rune) bool {
			for _, cpu := range ours {
				if string(r) == strconv.Itoa(cpu) {
					return true
				}
			}
			return false
		}) {
			t.Errorf("never on one of the CPUs %v: %q", ours, line)
		}
	}
}

// wantChecks is how many checks the coherence cases make together, at the least.
const wantChecks = 1_000_000

var checksMade = regexp.MustCompile(`: \d+ checks, (\d+) of them away`)

// TestCoherence: what one CPU changes in a mapping or in memory is what the
// others see. Only checks made away count.
func TestCoherence(t *testing.T) {
	begin(t)
	total := 0
	for _, c := range []struct {
		name            string
		readers, rounds int
	}{
		{"dontneed", 1, 40}, {"munmap", 1, 150}, {"mremap", 2, 150},
		{"remap", 2, 2500}, {"truncate", 1, 150}, {"protect", 1, 150},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := succeed(t, preload, program("coherence"), c.name, fmt.Sprint(c.readers), fmt.Sprint(c.rounds))
			m := checksMade.FindStringSubmatch(o.Stdout)
			if m == nil {
				t.Fatalf("no number of checks in %q", o.Stdout)
			}
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			total += n
		})
	}
	for _, c := range []string{"protect 1500", "cowfork 150", "futexop 50000 20"} {
		t.Run(c, func(t *testing.T) {
			argv := strings.Fields(c)
			argv[0] = program(argv[0])
			succeed(t, preload, argv...)
		})
	}
	if total < wantChecks && !t.Failed() {
		t.Errorf("%d checks away, %d are needed", total, wantChecks)
	}
	t.Logf("%d checks of mappings away", total)
}

// TestTopEntry: entries of the top-level page table appear and disappear under a
// thread that is away, and it goes home for no fault but the one on what is gone: an
// entry that it misses is shown when that is served.
func TestTopEntry(t *testing.T) {
	begin(t)
	var steps, more int64
	faults := during(t, "home_fault", func() {
		each(t, "topentry")
		o := succeed(t, preload, program("topentry"))
		if _, err := fmt.Sscanf(o.Stderr, "topentry: %d steps of 512 GiB, %d of 256 TiB", &steps, &more); err != nil {
			t.Fatalf("%v: %s", err, o.Stderr)
		}
	})
	if most := 2 * 2 * (steps + more); faults > most {
		t.Errorf("%d faults were taken home in %d steps of each of two runs", faults, steps+more)
	}
}

// TestFiveLevels belongs into a boot with five levels of page tables, where
// entries of the top level are 256 TiB apart: only a kernel that unpacks itself
// switches to them.
func TestFiveLevels(t *testing.T) {
	begin(t)
	if !slices.Contains(strings.Fields(readFile(t, "/proc/cpuinfo")), "la57") {
		t.Fatal("Linux does not use five levels")
	}
	o := succeed(t, preload, program("topentry"))
	if strings.Contains(o.Stderr, ", 0 of 256 TiB") {
		t.Errorf("no mapping was made beyond the first 256 TiB: %s", o.Stderr)
	}
}
