// Package vm runs a command in a virtual machine that shows the host's own
// files: the host's root file system, read-only, below a tmpfs, so that every
// program installed on the host runs in the guest and nothing it writes stays.
//
// Run boots a Linux kernel, gives it its first CPUs, has apkern.ko take the
// rest, and runs the command with its standard streams connected. Process 1 in
// the guest is the calling program itself (package guest); the two speak by
// package wire.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"apkern/internal/vm/wire"
)

// Config is a machine and what to run in it.
type Config struct {
	Hypervisor Hypervisor
	CacheDir   string // for unpacked kernels; created when missing

	CPUs     int
	Threads  int    // of a core; 0: 1
	Home     int    // Linux gets CPUs 0 to Home-1; 1 or more
	Kernel   Kernel // FindKernel
	Memory   string // QEMU's syntax
	CPUModel string // QEMU's name
	GDB      string // address of a gdb server on the machine's CPUs, as localhost:1234; "": none
	Append   string // added to the kernel's command line
	Drop     string // word to leave out of it, as "noreplace-smp"
	Whole    bool   // boot the kernel's file as it is: slower, but it sets up five levels of page tables
	Reboots  bool   // the guest may reboot, or start another kernel: Args run again, with BootVariable counted up
	Shares   []string

	// BootTime is after how long a guest that has not come up is started again, up to
	// BootTries times in all; 0: never.
	BootTime time.Duration

	Load []string // modules of the kernel's to insert, with all that they need; built-in ones are there

	Init    string // statically linked program that calls guest.Main as /init
	Library string // libstartup.so.1; "" for none
	Insert  string // apkern.ko; "" not to insert it
	Params  string // its parameters

	Args []string
	Env  []string
	Dir  string     // absolute
	TTY  *wire.Size // give the command a terminal of that size

	Stdin          io.Reader // read only once the command runs
	Stdout, Stderr io.Writer // with TTY all output goes to Stdout

	// Signals are passed on to the command's process group. One that comes
	// before the command runs ends Run with ErrInterrupted.
	Signals <-chan syscall.Signal
	// Sizes are new sizes of the terminal.
	Sizes <-chan wire.Size
	// Progress, if set, is told what is going on until the command runs,
	// then called once with "".
	Progress func(string)
}

// BootVariable is in the command's environment where the guest may reboot: "1" in
// its first run, "2" after a reboot.
const BootVariable = "APKERN_BOOT"

// BootTries is how often a machine is started at the most. QEMU's emulation of several
// CPUs was seen to hang in Linux's boot, before it printed anything, and not again at the
// next start.
const BootTries = 3

// ErrInterrupted is Run's error for a signal before the command ran.
var ErrInterrupted = errors.New("interrupted")

// OutputError is Run's error when Stdout or Stderr cannot be written.
type OutputError struct{ Err error }

func (e *OutputError) Error() string { return "output: " + e.Err.Error() }
func (e *OutputError) Unwrap() error { return e.Err }

// Failure is Run's error when the machine failed.
type Failure struct {
	Reason  string
	Console string // file with the guest's console, "" when it wrote nothing
}

func (f *Failure) Error() string {
	if f.Console == "" {
		return "virtual machine: " + f.Reason
	}
	return fmt.Sprintf("virtual machine: %s (its console: %s)", f.Reason, f.Console)
}

// Run runs the command and returns its exit status, 128+n when signal n ended
// it. When ctx ends before, the error wraps its cause. However it returns, no
// process and no temporary file is left, but the console of a Failure.
func Run(ctx context.Context, c Config) (int, error) {
	if err := checkStatic(c.Init); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "apkern-vm-")
	if err != nil {
		return 0, err
	}
	keep := ""
	defer func() {
		if keep == "" {
			_ = os.RemoveAll(dir)
		}
	}()
	c.progress("preparing Linux " + c.Kernel.Release)
	spec, err := c.spec(dir)
	if err != nil {
		return 0, err
	}
	defer os.Remove(spec.Initramfs)
	status, err := c.start(ctx, spec)
	for try := 2; errors.Is(err, errNotUp) && try <= BootTries; try++ {
		status, err = c.start(ctx, spec)
	}
	c.progress("")
	if lost := new(lostError); errors.As(err, lost) {
		failure := &Failure{Reason: lost.reason(spec.Console)}
		if st, err := os.Stat(spec.Console); err == nil && st.Size() > 0 {
			keep, failure.Console = spec.Console, spec.Console
		}
		err = failure
	}
	return status, err
}

// start runs the command in a machine started for it.
func (c *Config) start(ctx context.Context, spec Spec) (int, error) {
	c.progress("booting Linux " + c.Kernel.Release)
	m, err := c.Hypervisor.Start(spec)
	if err != nil {
		return 0, err
	}
	defer m.Kill()
	s := session{config: c, machine: m, job: c.job(spec)}
	return s.run(ctx)
}

func (c *Config) progress(what string) {
	if c.Progress != nil {
		c.Progress(what)
	}
}

// spec prepares the machine; its files are in dir.
func (c *Config) spec(dir string) (Spec, error) {
	image := c.Kernel.File
	if !c.Whole {
		var err error
		if image, err = bootImage(image, c.CacheDir); err != nil {
			return Spec{}, err
		}
	}
	sharing, err := c.Kernel.sharing()
	if err != nil {
		return Spec{}, err
	}
	initramfs, err := os.Create(filepath.Join(dir, "initramfs"))
	if err != nil {
		return Spec{}, err
	}
	err = c.WriteInitramfs(initramfs)
	if err := errors.Join(err, initramfs.Close()); err != nil {
		return Spec{}, err
	}
	s := Spec{
		Kernel: image, Initramfs: initramfs.Name(), CmdLine: c.cmdLine(), Sharing: sharing, Root: "/",
		CPUs: c.CPUs, Threads: max(c.Threads, 1), Memory: c.Memory, CPUModel: c.CPUModel, GDB: c.GDB, Reboots: c.Reboots,
		Console: filepath.Join(dir, "console.log"),
	}
	for i, path := range c.Shares {
		s.Shares = append(s.Shares, wire.Share{Tag: fmt.Sprintf("share%d", i), Path: path})
	}
	return s, nil
}

// WriteInitramfs writes the guest's initial RAM file system, by Kernel, Init, Library,
// Insert and Load. Who starts a kernel within a guest, by kexec, gives it another one.
func (c *Config) WriteInitramfs(w io.Writer) error {
	sharing, err := c.Kernel.sharing()
	if err != nil {
		return err
	}
	modules, err := ReadModules(c.Kernel, append(guestModules(sharing), c.Load...))
	if err != nil {
		return err
	}
	return writeInitramfs(w, contents{init: c.Init, insert: c.Insert, library: c.Library, modules: modules})
}

// cmdLine is the kernel's command line.
//
// maxcpus leaves CPUs to the application kernel. A Linux booted on one CPU
// turns its LOCK prefixes into no-ops, which would break every atomic access to
// memory that an application CPU shares; noreplace-smp stops that. Without
// tsc=reliable Linux may give up the time-stamp counter as its clock, because
// it sees more than one CPU, and with it clocks without system calls.
func (c *Config) cmdLine() string {
	words := []string{
		"console=ttyS0", "loglevel=5", "panic=-1", "random.trust_cpu=on",
		fmt.Sprintf("maxcpus=%d", c.Home), "noreplace-smp", "tsc=reliable",
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == c.Drop })
	if c.Append != "" {
		words = append(words, c.Append)
	}
	return strings.Join(words, " ")
}

func (c *Config) job(s Spec) *wire.Job {
	return &wire.Job{
		Args: c.Args, Env: c.Env, Dir: c.Dir, TTY: c.TTY, Sharing: s.Sharing, Shares: s.Shares,
		Insert: c.Insert != "", Params: c.Params,
	}
}
