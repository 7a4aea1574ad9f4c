package guest

import (
	"strconv"
	"testing"
)

// TestPolicy: a thread that only makes system calls stays at home for most of
// them by the rule that the parameter stay switches, and with stay=0 it goes away
// after each one.
func TestPolicy(t *testing.T) {
	begin(t)
	const batches, calls = 20, 1000
	visits := func(stay string) int64 {
		setParameter(t, "stay", stay)
		before := home(t, "away")
		succeed(t, preload, program("getppid"), strconv.Itoa(batches), strconv.Itoa(calls))
		return home(t, "away") - before
	}
	if n := visits("0"); n < batches*calls*9/10 {
		t.Errorf("stay=0: only %d visits for %d calls", n, batches*calls)
	}
	stays := home(t, "stay")
	if n := visits("1"); n > batches*calls/2 {
		t.Errorf("stay=1: %d visits for %d calls", n, batches*calls)
	}
	if home(t, "stay") == stays {
		t.Error("stay=1: no thread was told to stay")
	}
}

// TestPolicyComputing: the rule leaves a thread away that computes.
func TestPolicyComputing(t *testing.T) {
	begin(t)
	setParameter(t, "stay", "1")
	succeed(t, preload, program("cputime"), "500")
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "100")
}
