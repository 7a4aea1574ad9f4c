package guest

import (
	"strings"
	"testing"
)

// TestOptOut: with NOAPPKERN=1 the library leaves a program and its children alone.
func TestOptOut(t *testing.T) {
	begin(t)
	adopted := home(t, "adopted")
	o := run(t, preload, command{argv: []string{"sh", "-c", "ls / | wc -l; " + program("spin") + " 2 1 >&2"}, env: []string{"NOAPPKERN=1"}})
	if o.Status != 0 {
		t.Errorf("status %d: %s", o.Status, o.Stderr)
	}
	if home(t, "adopted") != adopted {
		t.Error("something was adopted")
	}
	run(t, preload, command{argv: []string{"true"}})
	if home(t, "adopted") == adopted {
		t.Error("without NOAPPKERN nothing is adopted either")
	}
}

// TestNoModule: without the module the library says so once and the program
// runs natively; apkern run says how to load it.
func TestNoModule(t *testing.T) {
	mustUnload(t)
	want := run(t, native, command{argv: []string{"ls", "-l", "/etc"}})
	got := run(t, preload, command{argv: []string{"ls", "-l", "/etc"}})
	if got.Stdout != want.Stdout || got.Status != want.Status {
		t.Errorf("status %d, and its output differs from native", got.Status)
	}
	if !oneLine(got.Stderr) {
		t.Errorf("the library says %q", got.Stderr)
	}
	got = run(t, preload, command{argv: []string{"ls", "-l", "/etc"}, env: []string{"NOAPPKERN=1"}})
	if got != want {
		t.Errorf("with NOAPPKERN: %q", got.Stderr)
	}
	o := run(t, viaRun, command{argv: []string{"echo", "never"}})
	if o.Status != 125 || o.Stdout != "" || !oneLine(o.Stderr) || !strings.Contains(o.Stderr, "insmod") {
		t.Errorf("apkern run: status %d, stdout %q, stderr %q", o.Status, o.Stdout, o.Stderr)
	}
}

// TestRunStatuses: apkern run passes a status on and gives those of a shell for
// commands that cannot be run.
func TestRunStatuses(t *testing.T) {
	begin(t)
	for _, c := range []struct {
		argv []string
		want int
	}{
		{[]string{"sh", "-c", "exit 42"}, 42},
		{[]string{"sh", "-c", "kill -TERM $$"}, 143},
		{[]string{"/nowhere/nothing"}, 127},
		{[]string{"no-such-command-anywhere"}, 127},
		{[]string{"/etc/passwd"}, 126},
	} {
		if o := run(t, viaRun, command{argv: c.argv}); o.Status != c.want {
			t.Errorf("%v: status %d, not %d: %s", c.argv, o.Status, c.want, o.Stderr)
		}
	}
	// apkern run -c: only on the CPUs named.
	last := cpuList(t, "cpus")[len(cpuList(t, "cpus"))-1]
	checkOnly(t, last)
}
