package guest

import (
	"strconv"
	"testing"
)

// during is how much a counter of home's rose while f ran.
func during(t *testing.T, counter string, f func()) int64 {
	t.Helper()
	before := home(t, counter)
	f()
	return home(t, counter) - before
}

// TestPolicy: a thread that only makes system calls never leaves by the rule that the
// parameter stay switches, and with stay=0 it goes away after each one.
func TestPolicy(t *testing.T) {
	begin(t)
	const batches, calls, stray = 200, 5000, 2
	visits := func(stay string, batches int) int64 {
		setParameter(t, "stay", stay)
		return during(t, "away", func() {
			succeed(t, preload, program("getppid"), strconv.Itoa(batches), strconv.Itoa(calls))
		})
	}
	if n := visits("0", 4); n < 4*calls*9/10 {
		t.Errorf("stay=0: only %d visits for %d calls", n, 4*calls)
	}
	leaves := during(t, "leave", func() {
		if n := visits("1", batches); n > batches*calls/5000 {
			t.Errorf("stay=1: %d visits for %d calls", n, batches*calls)
		}
	})
	// As long as it starts, or its CPU is not run for a while, it may seem to compute.
	if leaves > stray {
		t.Errorf("stay=1: it left %d times in %d calls", leaves, batches*calls)
	}
}

// TestPolicyComputing: the rule lets a thread leave that computes, and threads that
// compute side by side.
func TestPolicyComputing(t *testing.T) {
	begin(t)
	setParameter(t, "stay", "1")
	succeed(t, preload, program("cputime"), "500")
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "100")
	succeed(t, preload, program("parallel"), "-p", strconv.Itoa(len(cpuList(t, "cpus"))), "100")
}

// TestPolicyPhases: a thread that computes and makes system calls in turn is away for
// the one and at home for the other.
func TestPolicyPhases(t *testing.T) {
	begin(t)
	setParameter(t, "stay", "1")
	stays := home(t, "stay")
	leaves := during(t, "leave", func() { succeed(t, preload, program("phases"), "5", "5000") })
	if stays = home(t, "stay") - stays; leaves < 5 || stays < 5 {
		t.Errorf("told to leave %d times and to stay %d times in 5 rounds", leaves, stays)
	}
}

// TestPolicyChildren: short processes do not leave, whether they are forked or
// executed, and whatever their parent does.
func TestPolicyChildren(t *testing.T) {
	begin(t)
	setParameter(t, "stay", "1")
	const script = "for i in $(seq 100); do (:); /bin/true; done"
	var adopted int64
	visits := during(t, "away", func() {
		adopted = during(t, "adopted", func() { succeed(t, preload, "sh", "-c", script) })
	})
	if adopted < 200 || visits > adopted/5 {
		t.Errorf("%d visits of %d processes", visits, adopted)
	}
}

// TestPolicySteady: a thread at whose pace leaving pays, does not, or hardly makes a
// difference does not swing between the two.
func TestPolicySteady(t *testing.T) {
	begin(t)
	setParameter(t, "stay", "1")
	for _, pace := range []int{100, 1000, 3000, 10000} {
		n := during(t, "leave", func() { succeed(t, preload, program("phases"), "pace", strconv.Itoa(pace), "2000") })
		if n > 30 {
			t.Errorf("a call every %d µs: it left %d times in two seconds", pace, n)
		}
	}
}
