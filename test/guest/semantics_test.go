package guest

import (
	"fmt"
	"strings"
	"testing"
)

// TestClocks: the CPU time of a thread that is away is up to date at every
// moment, whoever reads it, and timers and limits on CPU time fire.
func TestClocks(t *testing.T) {
	begin(t)
	each(t, "cpuclocks", "cputimers")
}

// TestShellTime: bash's time says what a program used, that was away all the time.
func TestShellTime(t *testing.T) {
	begin(t)
	o := succeed(t, preload, "bash", "-c", `TIMEFORMAT="%U %S"; time "$0" 400 2>/dev/null`, program("cputime"))
	var user, system float64
	if n, err := fmt.Sscan(o.Stderr, &user, &system); n != 2 || err != nil {
		t.Fatalf("time says %q", o.Stderr)
	}
	if !strings.Contains(o.Stdout, "RUSAGE_CHILDREN") || user < 0.4 {
		t.Errorf("%v s of user time for 0.8 s or more\n%s", user, o.Stdout)
	}
}

// TestTracer: a tracer sees and changes the state of threads that spin away as
// it does natively.
func TestTracer(t *testing.T) {
	begin(t)
	each(t, "ptraceregs", "ptraceops")
}

// TestOddCode: what application CPUs do not do themselves is what Linux does
// natively: protection keys, own segments, 32-bit code, the vsyscall page, ports,
// instructions that fault or are emulated.
func TestOddCode(t *testing.T) {
	begin(t)
	each(t, "pkeys", "ldt", "compat32", "oddcode")
}

// TestNamespaces: namespaces of all kinds, and other roots, under threads that
// are away.
func TestNamespaces(t *testing.T) {
	begin(t)
	each(t, "namespaces")
}
