package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"apkern/internal/bench/store"
)

// realVM builds the command and returns a function that makes command lines of
// `apkern vm run --no-module`, which boots QEMU.
func realVM(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	file := realCommand(t)
	return func(args ...string) *exec.Cmd {
		return exec.Command(file, append([]string{"vm", "run", "--no-module", "--timeout", "5m"}, args...)...)
	}
}

// realCommand builds the command, in a directory as make would have it: beside build.
func realCommand(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("needs QEMU")
	}
	tree := t.TempDir()
	file := filepath.Join(tree, "bin", "apkern")
	products, err := filepath.Abs("../../build")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(products, filepath.Join(tree, "build")); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// result runs c and returns what a caller sees of it.
func result(t *testing.T, c *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// guestScript looks at the guest from inside; every line of its output is a
// promise of vm run.
const guestScript = `
echo cpus $(nproc) of $(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l)
echo dir $(pwd)
echo added $ADDED
echo apkern $(command -v apkern)
echo lock $(grep -ow noreplace-smp /proc/cmdline) $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
echo file $(cat hosts-file)
echo changed >hosts-file && echo root is writable
echo back >shared/to-host && mv shared/to-host shared/renamed && echo shared is writable
ping -c 1 127.0.0.1 >/dev/null 2>&1 || bash -c ': >/dev/udp/127.0.0.1/9' && echo loopback is up
(sleep 1000 & sleep 1000 >/dev/null 2>&1 &) ; : >/dev/shm/x && : >/tmp/x && : >/run/x && echo places to write
echo files $(ulimit -n) $(ulimit -Hn)
sha256sum
echo to stderr >&2
kill -TERM $$
`

func TestVirtualMachine(t *testing.T) {
	vm := realVM(t)
	dir := t.TempDir()
	for _, d := range []string{"shared"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts-file"), []byte("from the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	input := bytes.Repeat([]byte{0, 1, 4, '\n', '\r', 0xff}, 100000)
	sum := exec.Command("sha256sum")
	sum.Stdin = bytes.NewReader(input)
	_, wantSum, _ := result(t, sum)

	c := vm("--cpus", "3", "--home", "0-1", "--dir", "shared", "--env", "ADDED=a b", "--", "sh", "-c", guestScript)
	c.Dir, c.Stdin = dir, bytes.NewReader(input)
	status, stdout, stderr := result(t, c)
	want := strings.Join([]string{
		"cpus 2 of 3", "dir " + dir, "added a b", "apkern /usr/local/bin/apkern", "lock noreplace-smp tsc",
		"file from the host", "root is writable", "shared is writable", "loopback is up",
		"places to write", "files 1024 1048576", strings.TrimSpace(wantSum), "",
	}, "\n")
	if stdout != want {
		t.Errorf("stdout:\n%swant:\n%s", stdout, want)
	}
	if stderr != "to stderr\n" || status != 128+15 {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "shared/renamed")); string(got) != "back\n" {
		t.Errorf("shared directory: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "hosts-file")); string(got) != "from the host" {
		t.Errorf("the host's file: %q, %v", got, err)
	}
}

func TestVirtualMachinePanics(t *testing.T) {
	status, stdout, stderr := result(t, realVM(t)("--", "sh", "-c",
		"echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger"))
	if status != 125 || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.HasPrefix(stderr, "apkern: virtual machine: Kernel panic - not syncing: sysrq triggered crash (its console: ") {
		t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	_, console, _ := strings.Cut(strings.TrimSuffix(stderr, ")\n"), "its console: ")
	text, err := os.ReadFile(console)
	if err != nil || !strings.Contains(string(text), "sysrq triggered crash") {
		t.Errorf("console: %v", err)
	}
	_ = os.RemoveAll(filepath.Dir(console))
}

// TestBenchInVirtualMachine: the samples of a machine come to the host, with the page.
func TestBenchInVirtualMachine(t *testing.T) {
	for _, product := range []string{"apkern.ko", "bench/call"} {
		if _, err := os.Stat(filepath.Join("../../build", product)); err != nil {
			t.Skipf("needs what make builds: %v", err)
		}
	}
	dir := filepath.Join(t.TempDir(), "samples")
	status, stdout, stderr := result(t, exec.Command(realCommand(t), "bench", "run", "--on", "vm", "-n", "3", "-o", dir, "Getppid", "Find"))
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q\n%s", status, stderr, stdout)
	}
	s, err := store.Read(dir)
	if err != nil || len(s.Runs) != 18 || len(s.Environment.Application) != 3 {
		t.Errorf("%v, %+v", err, s)
	}
	if page, err := os.ReadFile(filepath.Join(dir, pageFile)); err != nil || !bytes.Contains(page, []byte("18 good runs of 18")) {
		t.Errorf("page: %v", err)
	}
}
