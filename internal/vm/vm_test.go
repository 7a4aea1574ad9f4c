package vm_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"apkern/internal/vm"
	"apkern/internal/vm/guest"
	"apkern/internal/vm/vmfake"
	"apkern/internal/vm/wire"
)

// staticProgram writes the least file that is a statically linked program.
func staticProgram(t *testing.T) string {
	t.Helper()
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	return write(t, "init", b.Bytes())
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// config is a machine that runs args; its output is in the buffers.
func config(t *testing.T, args ...string) (c vm.Config, stdout, stderr *bytes.Buffer) {
	t.Setenv("TMPDIR", t.TempDir())
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return vm.Config{
		Hypervisor: vmfake.Hypervisor{}, CacheDir: t.TempDir(),
		CPUs: 4, Home: 1, Memory: "1G", CPUModel: "max",
		Kernel: vm.Kernel{File: write(t, "kernel", []byte("kernel")), Release: "6.1.0-test"},
		Init:   staticProgram(t), Args: args, Env: []string{"PATH=/usr/bin:/bin"}, Dir: t.TempDir(),
		Stdout: stdout, Stderr: stderr,
	}, stdout, stderr
}

// leftovers lists the temporary files of Run, but the consoles it told of.
func leftovers(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(os.Getenv("TMPDIR") + "/apkern-vm-*/*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRunStatusAndStreams(t *testing.T) {
	for _, tc := range []struct {
		script, stdin, stdout, stderr string
		status                        int
	}{
		{script: "exit 0"},
		{script: "exit 7", status: 7},
		{script: "echo out; echo err >&2; exit 3", stdout: "out\n", stderr: "err\n", status: 3},
		{script: "kill -9 $$", status: 137},
		{script: "cat", stdin: "a\x00b\xff\n", stdout: "a\x00b\xff\n"},
		{script: "wc -c", stdin: strings.Repeat("x", 1<<20), stdout: "1048576\n"},
		{script: "exec <&-; exit 4", stdin: strings.Repeat("x", 1<<20), status: 4},
		{script: "sleep 1000 & echo started", stdout: "started\n"},
	} {
		c, stdout, stderr := config(t, "sh", "-c", tc.script)
		c.Stdin = strings.NewReader(tc.stdin)
		status, err := vm.Run(context.Background(), c)
		if err != nil || status != tc.status {
			t.Errorf("%s: status %d, %v; want %d", tc.script, status, err, tc.status)
		}
		if stdout.String() != tc.stdout || stderr.String() != tc.stderr {
			t.Errorf("%s: stdout %q, stderr %q", tc.script, stdout, stderr)
		}
		if files := leftovers(t); len(files) > 0 {
			t.Errorf("%s: left %v", tc.script, files)
		}
	}
}

func TestRunCommandNotStarted(t *testing.T) {
	for _, tc := range []struct {
		command, stderr string
		status          int
	}{
		{"no-such-command", "apkern: no-such-command: command not found\n", 127},
		{"/no/such/file", "apkern: /no/such/file: no such file or directory\n", 127},
		{"/etc", "apkern: /etc: is a directory\n", 126},
	} {
		c, _, stderr := config(t, tc.command)
		status, err := vm.Run(context.Background(), c)
		if err != nil || status != tc.status || stderr.String() != tc.stderr {
			t.Errorf("%s: status %d, %v, stderr %q", tc.command, status, err, stderr)
		}
	}
}

func TestRunSpec(t *testing.T) {
	c, _, _ := config(t, "true")
	c.CPUs, c.Threads, c.Home, c.Append, c.Shares = 8, 2, 2, "loglevel=8", []string{"/usr", "/etc"}
	var got vm.Spec
	c.Hypervisor = vmfake.Hypervisor{Started: func(s vm.Spec) { got = s }}
	if status, err := vm.Run(context.Background(), c); status != 0 || err != nil {
		t.Fatal(status, err)
	}
	if got.CPUs != 8 || got.Threads != 2 || got.Root != "/" || len(got.Shares) != 2 || got.Shares[1].Path != "/etc" {
		t.Errorf("spec %+v", got)
	}
	for _, word := range []string{"maxcpus=2", "noreplace-smp", "tsc=reliable", "loglevel=8"} {
		if !strings.Contains(" "+got.CmdLine+" ", " "+word+" ") {
			t.Errorf("command line %q without %s", got.CmdLine, word)
		}
	}
}

// A module that Load names is in the guest's initramfs, with what it needs.
func TestRunLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"modules.dep": "block/loop.ko: lib/helper.ko\nlib/helper.ko:\n", "block/loop.ko": "the loop", "lib/helper.ko": "its helper",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, _, _ := config(t, "true")
	c.Kernel.Modules, c.Load = dir, []string{"loop", "built_in"}
	var image []byte
	c.Hypervisor = vmfake.Hypervisor{Started: func(s vm.Spec) { image, _ = os.ReadFile(s.Initramfs) }}
	if status, err := vm.Run(context.Background(), c); status != 0 || err != nil {
		t.Fatal(status, err)
	}
	for _, want := range []string{"modules/00-helper.ko", "its helper", "modules/01-loop.ko", "the loop"} {
		if !bytes.Contains(image, []byte(want)) {
			t.Errorf("the initramfs has no %q", want)
		}
	}
}

func TestRunTerminal(t *testing.T) {
	c, stdout, _ := config(t, "sh", "-c", "tty >/dev/null && stty size; kill -WINCH $$; cat <&-")
	c.TTY = &wire.Size{Rows: 33, Cols: 77}
	if _, err := vm.Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stdout.String(), "33 77\r\n") {
		t.Errorf("on the terminal: %q", stdout)
	}
}

func TestRunPassesSignals(t *testing.T) {
	signals := make(chan syscall.Signal, 1)
	c, _, _ := config(t, "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.01; done")
	c.Signals = signals
	c.Stdout = writerFunc(func(p []byte) (int, error) {
		signals <- syscall.SIGINT
		return len(p), nil
	})
	if status, err := vm.Run(context.Background(), c); status != 9 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

func TestRunInterruptedWhileBooting(t *testing.T) {
	signals := make(chan syscall.Signal, 1)
	signals <- syscall.SIGINT
	c, _, _ := config(t, "true")
	c.Signals = signals
	c.Hypervisor = vmfake.Hypervisor{Guest: func(_ guest.Channels, killed <-chan struct{}) string {
		<-killed
		return ""
	}}
	if _, err := vm.Run(context.Background(), c); !errors.Is(err, vm.ErrInterrupted) {
		t.Errorf("%v, want ErrInterrupted", err)
	}
}

func TestRunFailures(t *testing.T) {
	panicked := "[    1.0] Kernel panic - not syncing: no reason\n[    1.1] ---[ end ]---\n"
	for name, tc := range map[string]struct {
		complaint, console, fail, want string
	}{
		"hypervisor complains": {complaint: "qemu: no memory", want: "qemu: no memory"},
		"kernel panics":        {console: panicked, want: "Kernel panic - not syncing: no reason"},
		"init complains":       {console: "x\napkern-init: no port\n", want: "apkern-init: no port"},
		"last words":           {console: "one\ntwo\n\n", want: "ended; its last words: two"},
		"silence":              {want: "ended before it wrote to its console"},
		"guest says why":       {fail: "insert apkern.ko: no", console: "noise\n", want: "insert apkern.ko: no"},
	} {
		c, _, _ := config(t, "true")
		c.Hypervisor = failing(t, tc.complaint, tc.console, tc.fail)
		_, err := vm.Run(context.Background(), c)
		var failure *vm.Failure
		if !errors.As(err, &failure) || failure.Reason != tc.want {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
			continue
		}
		if tc.console == "" {
			continue
		}
		kept, err := os.ReadFile(failure.Console)
		if err != nil || string(kept) != tc.console {
			t.Errorf("%s: console kept: %q, %v", name, kept, err)
		}
		if files := leftovers(t); len(files) != 1 || files[0] != failure.Console {
			t.Errorf("%s: left %v", name, files)
		}
	}
}

// failing is a machine that writes console and ends with complaint or, when
// fail is set, says hello and fails the job so.
func failing(t *testing.T, complaint, console, fail string) vm.Hypervisor {
	var file string
	return vmfake.Hypervisor{
		Started: func(s vm.Spec) { file = s.Console },
		Guest: func(ch guest.Channels, killed <-chan struct{}) string {
			if err := os.WriteFile(file, []byte(console), 0o600); err != nil {
				t.Error(err)
			}
			if fail == "" {
				return complaint
			}
			control := wire.NewConn[wire.ToHost, wire.ToGuest](ch.Control)
			err := control.Send(wire.ToHost{Hello: true})
			if _, received := control.Receive(); errors.Join(err, received) != nil {
				t.Error(err, received)
			}
			if err := control.Send(wire.ToHost{Fail: fail}); err != nil {
				t.Error(err)
			}
			<-killed
			return ""
		},
	}
}

// TestRunReboots: where the guest may reboot the command runs again and can tell,
// with no input; elsewhere a second hello is a failure.
func TestRunReboots(t *testing.T) {
	c, stdout, _ := config(t, "sh", "-c", "echo boot $"+vm.BootVariable+"; cat")
	c.Stdin = strings.NewReader("input\n")
	c.Hypervisor = vmfake.Hypervisor{Guest: func(ch guest.Channels, killed <-chan struct{}) string {
		control := wire.NewConn[wire.ToHost, wire.ToGuest](ch.Control)
		err := control.Send(wire.ToHost{Hello: true})
		_, received := control.Receive()
		if err := errors.Join(err, received, control.Send(wire.ToHost{Running: true})); err != nil {
			return err.Error()
		}
		if input, err := io.ReadAll(wire.NewReader(ch.Stdin)); string(input) != "input\n" {
			t.Errorf("the first run reads %q (%v)", input, err)
		}
		return vmfake.Serve(ch, killed)
	}}
	if _, err := vm.Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "booted again") {
		t.Errorf("a reboot where none is expected: %v", err)
	}
	c.Reboots, c.Stdin = true, strings.NewReader("input\n")
	stdout.Reset()
	if status, err := vm.Run(context.Background(), c); status != 0 || err != nil || stdout.String() != "boot 2\n" {
		t.Errorf("status %d, %v, output %q", status, err, stdout)
	}
}

func TestRunTimeLimit(t *testing.T) {
	c, _, _ := config(t, "sleep", "1000")
	ctx, cancel := context.WithCancelCause(context.Background())
	c.Progress = func(what string) {
		if what == "" { // the command runs
			cancel(vm.TimeLimit{Limit: limit("5s")})
		}
	}
	_, err := vm.Run(ctx, c)
	var failure *vm.Failure
	if !errors.As(err, &failure) || failure.Reason != "time limit of 5s reached" {
		t.Errorf("%v", err)
	}
}

// A guest that does not come up is started again, but not for ever. The time is the bubble's.
func TestRunStartsAgain(t *testing.T) {
	for _, hangs := range []int{0, vm.BootTries - 1, vm.BootTries} {
		c, stdout, _ := config(t, "echo", "up")
		starts := 0
		c.BootTime = time.Hour
		c.Hypervisor = vmfake.Hypervisor{
			Started: func(vm.Spec) { starts++ },
			Guest: func(ch guest.Channels, killed <-chan struct{}) string {
				if starts <= hangs {
					<-killed
					return ""
				}
				return vmfake.Serve(ch, killed)
			},
		}
		var err error
		synctest.Test(t, func(*testing.T) { _, err = vm.Run(context.Background(), c) })
		if hangs == vm.BootTries {
			if err == nil || !strings.Contains(err.Error(), "Linux has not come up") || starts != vm.BootTries {
				t.Errorf("one that never comes up: %d starts, %v", starts, err)
			}
		} else if err != nil || stdout.String() != "up\n" || starts != hangs+1 {
			t.Errorf("%d times not up: %d starts, %v, output %q", hangs, starts, err, stdout)
		}
	}
}

type limit string

func (l limit) String() string { return string(l) }

func TestRunOutputError(t *testing.T) {
	c, _, _ := config(t, "yes")
	c.Stdout = writerFunc(func([]byte) (int, error) { return 0, syscall.EPIPE })
	_, err := vm.Run(context.Background(), c)
	if !errors.Is(err, syscall.EPIPE) || !errors.As(err, new(*vm.OutputError)) {
		t.Errorf("%v, want EPIPE", err)
	}
}

func TestRunRefusesDynamicInit(t *testing.T) {
	c, _, _ := config(t, "true")
	c.Init = "/bin/ls"
	if _, err := vm.Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "dynamically linked") {
		t.Errorf("%v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
