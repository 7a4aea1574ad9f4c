package guest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestSession: a session, which the scheduler groups for itself, hinders nobody.
func TestSession(t *testing.T) {
	begin(t)
	session := preload
	session.prefix = []string{"setsid", "--wait"}
	succeed(t, session, program("parallel"), "1", "50")
}

// TestCPUGroup: a thread in a group of the cpu controller stays home, because its
// quota is not enforced away, and leaves when it is back in the root.
func TestCPUGroup(t *testing.T) {
	begin(t)
	group := cgroup(t, "cpu")
	shell := preload
	shell.prefix = []string{"sh", "-c", `echo $$ >"$0"/cgroup.procs; exec "$@"`}
	inside := func(where string) outcome {
		w := shell
		w.prefix = append(append([]string{}, shell.prefix...), where)
		return run(t, w, command{argv: []string{program("parallel"), "1", "50"}, env: []string{"AWAY_SECONDS=1"}})
	}
	if o := inside(group); o.Status != statusNotAway {
		t.Errorf("in a group: status %d, want %d: %s", o.Status, statusNotAway, o.Stderr)
	}
	if o := inside(filepath.Dir(group)); o.Status != 0 {
		t.Errorf("in the root group: status %d: %s", o.Status, o.Stderr)
	}
}

// cgroup makes a group of a controller of cgroup version 2.
func cgroup(t *testing.T, controller string) string {
	t.Helper()
	root := t.TempDir()
	if o := run(t, native, command{argv: []string{"mount", "-t", "cgroup2", "none", root}}); o.Status != 0 {
		t.Fatalf("mount cgroup2: %s", o.Stderr)
	}
	t.Cleanup(func() { run(t, native, command{argv: []string{"umount", root}}) })
	if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
		t.Fatal(err)
	}
	group := filepath.Join(root, "test"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	return group
}
