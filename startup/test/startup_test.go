// Package test tests libstartup.so.1 on a machine without the module: what
// it says and that it leaves no trace. What it does with the module is tested in
// the VM (test/guest).
package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// native is the line that a program without a device to open gets.
const native = "apkern: running natively: no /dev/apkern (load the module: insmod apkern.ko)\n"

// library builds the library into a new directory.
func library(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/apkern"); err == nil {
		t.Skip("the module is loaded here")
	}
	dir := t.TempDir()
	if out, err := exec.Command("make", "-C", "..", "OUT="+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "libstartup.so.1")
}

// run runs a shell command in which $lib is the library, with env added to a
// plain environment.
func run(t *testing.T, lib, command string, env ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "lib=" + lib}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, errs.String())
	}
	return out.String(), errs.String()
}

func TestWithoutDevice(t *testing.T) {
	lib := library(t)
	for _, c := range []struct {
		name, command string
		env           []string
		stdout        string
		stderr        string
	}{
		{"runs natively and says so", "LD_PRELOAD=$lib /bin/echo done", nil, "done\n", native},
		{"says it once in a pipeline", `LD_PRELOAD=$lib sh -c '/bin/echo one | cat; /bin/echo two'`, nil, "one\ntwo\n", native},
		{"keeps quiet where nobody asked", "unset LD_PRELOAD; $loader --preload $lib /bin/echo done", []string{"loader=/lib64/ld-linux-x86-64.so.2"}, "done\n", ""},
		{"opts out", "LD_PRELOAD=$lib /bin/echo done", []string{"NOAPPKERN=1"}, "done\n", ""},
		{"an empty NOAPPKERN is none", "LD_PRELOAD=$lib /bin/echo done", []string{"NOAPPKERN="}, "done\n", native},
		{"runs with stderr closed", "LD_PRELOAD=$lib cat /dev/null 2>&-; echo $?", nil, "0\n", ""},
		{"runs with all descriptors closed", "LD_PRELOAD=$lib sleep 0 <&- >&- 2>&-; echo $?", nil, "0\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr := run(t, lib, c.command, c.env...)
			if stdout != c.stdout || stderr != c.stderr {
				t.Errorf("stdout %q, stderr %q; want %q and %q", stdout, stderr, c.stdout, c.stderr)
			}
		})
	}
}

// TestWithDevice runs the library on a device that the test makes up, which also
// aborts the program when the request is not exactly ADOPT's.
func TestWithDevice(t *testing.T) {
	lib := filepath.Join(t.TempDir(), "libstartup.so.1")
	device := filepath.Join(t.TempDir(), "device.o")
	for _, args := range [][]string{
		{"-c", "-fPIC", "-o", device, "testdata/device.c"},
		{"-shared", "-fPIC", "-o", lib, "../libstartup.c", device},
	} {
		if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, c := range []struct {
		name   string
		env    string
		stderr string // what follows "running natively: "
	}{
		{"adopts silently", "NONE=1", ""},
		{"may not open", fmt.Sprintf("DEVICE_OPEN=%d", syscall.EACCES), "no permission for /dev/apkern (be root or in group apkern)"},
		{"has no driver", fmt.Sprintf("DEVICE_OPEN=%d", syscall.ENXIO), "no /dev/apkern (load the module: insmod apkern.ko)"},
		{"is of another version", fmt.Sprintf("DEVICE_IOCTL=%d", syscall.EINVAL), "/dev/apkern is of another version (install library and module of one version)"},
		{"has no memory", fmt.Sprintf("DEVICE_IOCTL=%d", syscall.ENOMEM), "/dev/apkern refused (see dmesg)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := ""
			if c.stderr != "" {
				want = "apkern: running natively: " + c.stderr + "\n"
			}
			native, _ := run(t, lib, "ls /proc/self/fd")
			fds, stderr := run(t, lib, "LD_PRELOAD=$lib ls /proc/self/fd", c.env)
			if stderr != want {
				t.Errorf("stderr %q, want %q", stderr, want)
			}
			if fds != native {
				t.Errorf("descriptors %q, natively %q", fds, native)
			}
		})
	}
}

// TestErrnoKept compiles a program that looks at errno first thing.
func TestErrnoKept(t *testing.T) {
	lib := library(t)
	dir := t.TempDir()
	source := filepath.Join(dir, "errno.c")
	program := "#include <errno.h>\nint main(void) { return errno; }\n"
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "errno")
	if out, err := exec.Command("gcc", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, _ := run(t, lib, "LD_PRELOAD=$lib "+binary+" 2>/dev/null; echo $?"); out != "0\n" {
		t.Errorf("errno is %q", out)
	}
}

// TestInitialisedFirst: other libraries' constructors see an adopted thread.
func TestInitialisedFirst(t *testing.T) {
	_, trace := run(t, library(t), "LD_DEBUG=files LD_PRELOAD=$lib python3 -c 0 2>&1 >&2 | grep 'calling init' | grep -v ld-linux | head -1 >&2")
	if !strings.Contains(trace, "libstartup.so.1") {
		t.Errorf("initialised first is %q", trace)
	}
}

// TestExportsNothing: a program's own functions must not be replaced.
func TestExportsNothing(t *testing.T) {
	out, err := exec.Command("nm", "-D", "--defined-only", library(t)).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("exports %s", out)
	}
}

// TestSoname: ldconfig and packages go by it.
func TestSoname(t *testing.T) {
	out, err := exec.Command("readelf", "-d", library(t)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "soname: [libstartup.so.1]") {
		t.Errorf("no soname in\n%s", out)
	}
}
