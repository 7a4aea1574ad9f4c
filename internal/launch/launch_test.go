package launch_test

import (
	"os"
	"path/filepath"
	"testing"

	"apkern/internal/launch"
)

// tree makes bin/run (executable), bin/plain (not), bin/dir/ and other/run.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range []struct {
		name string
		mode os.FileMode
	}{{"bin/run", 0o755}, {"bin/plain", 0o644}, {"bin/dir/x", 0o644}, {"other/plain", 0o755}} {
		p := filepath.Join(root, f.name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFind(t *testing.T) {
	root := tree(t)
	bin, other := root+"/bin", root+"/other"
	for _, c := range []struct {
		name, path, want string
		status           int
	}{
		{"run", bin, bin + "/run", 0},
		{"run", other + ":" + bin, bin + "/run", 0},
		{"plain", bin + ":" + other, other + "/plain", 0},
		{"run", ":" + other, "", launch.StatusNotFound},
		{"bin/run", "", "bin/run", 0},
		{"./bin/run", other, "./bin/run", 0},
		{bin + "/run", "", bin + "/run", 0},
		{"plain", bin, "", launch.StatusNotRunable},
		{"dir", bin, "", launch.StatusNotRunable},
		{"bin", root, "", launch.StatusNotRunable},
		{"none", bin, "", launch.StatusNotFound},
		{"", bin, "", launch.StatusNotFound},
		{"bin/none", bin, "", launch.StatusNotFound},
		{"bin/run/x", bin, "", launch.StatusNotFound},
	} {
		got, err := launch.Find(c.name, c.path, root)
		if got != c.want {
			t.Errorf("Find(%q, %q) = %q, %v; want %q", c.name, c.path, got, err, c.want)
		}
		if (err != nil) != (c.status != 0) || err != nil && launch.Status(err) != c.status {
			t.Errorf("Find(%q, %q): %v, want status %d", c.name, c.path, err, c.status)
		}
	}
}

func TestFindTexts(t *testing.T) {
	root := tree(t)
	for name, want := range map[string]string{
		"none":      "none: command not found",
		"bin/none":  "bin/none: no such file or directory",
		"bin/dir":   "bin/dir: is a directory",
		"bin/plain": "bin/plain: permission denied",
	} {
		if _, err := launch.Find(name, root, root); err == nil || err.Error() != want {
			t.Errorf("Find(%q): %v, want %q", name, err, want)
		}
	}
}
