package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
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
	group := controlGroup(t, "cpu")
	inside := func(where string) outcome {
		return run(t, inGroup(preload, where), command{argv: []string{program("parallel"), "1", "50"}, env: []string{"AWAY_SECONDS=1"}})
	}
	if o := inside(group); o.Status != statusNotAway {
		t.Errorf("in a group: status %d, want %d: %s", o.Status, statusNotAway, o.Stderr)
	}
	if o := inside(filepath.Dir(group)); o.Status != 0 {
		t.Errorf("in the root group: status %d: %s", o.Status, o.Stderr)
	}
}

// inGroup is a way with the command in a control group.
func inGroup(w way, group string) way {
	w.prefix = append([]string{"sh", "-c", `echo $$ >"$0"/cgroup.procs; exec "$@"`, group}, w.prefix...)
	return w
}

// controlGroup makes a group of cgroup version 2 with a controller, or none.
func controlGroup(t *testing.T, controller string) string {
	t.Helper()
	root := mounted(t, "cgroup2", "")
	if controller != "" {
		write(t, root, "cgroup.subtree_control", "+"+controller)
		t.Cleanup(func() { write(t, root, "cgroup.subtree_control", "-"+controller) })
	}
	group := filepath.Join(root, "test"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroup(t, group) })
	return group
}

// mounted mounts a file system without a device for the length of a test.
func mounted(t *testing.T, kind, options string) string {
	t.Helper()
	root := t.TempDir()
	if err := unix.Mount("none", root, kind, 0, options); err != nil {
		t.Fatalf("mount %s %s: %v", kind, options, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Errorf("umount %s: %v", kind, err)
		}
	})
	return root
}

// write writes a file of a control group.
func write(t *testing.T, dir, name, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// removeGroup removes a control group as soon as the last process has left it.
func removeGroup(t *testing.T, group string) {
	eventually(t, "the group is empty", func() (bool, string) {
		err := unix.Rmdir(group)
		return err == nil, fmt.Sprint(err)
	})
}
