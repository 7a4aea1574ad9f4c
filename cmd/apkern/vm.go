package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"apkern/internal/cpulist"
	"apkern/internal/launch"
	"apkern/internal/vm"
)

// What tests replace: the hypervisor, and the guest's init, which is this
// program itself.
var (
	newHypervisor = func(cacheDir string) vm.Hypervisor { return vm.QEMU{CacheDir: cacheDir} }
	initProgram   = os.Executable
)

func vmCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "vm",
		Short: "run commands in a virtual machine with application CPUs",
		Long: `Boots Linux in QEMU. image boots the disk image; run and shell boot an installed
kernel. Their guest sees the host's files, read-only below a memory file system,
so any program installed on the host runs in it, and nothing that it writes
stays. Linux gets the CPUs of --home; the module takes the others as application
CPUs. The guest's root user runs the command; apkern is on its PATH and the
startup library at /lib/libstartup.so.1.

A kernel that has virtiofs but no 9p, as Debian's for clouds, gets the files by
virtiofs; only root can do that.

The module and the library are looked for in ../build beside the directory of
the apkern executable, then where the packages install them.`,
	}
	c.AddCommand(vmRunCommand(), vmShellCommand(), vmImageCommand())
	return c
}

// vmOptions are the flags that vm run and vm shell share.
type vmOptions struct {
	cpus     int
	threads  int
	home     string
	kernel   string
	memory   string
	dirs     []string
	env      []string
	append   []string
	load     []string
	gdb      string
	drop     string
	whole    bool
	reboot   bool
	noModule bool
	module   string
	params   string
	timeout  time.Duration
	boot     time.Duration
	cpu      string
}

// bootTime is many times what Linux takes, with a processor emulated by a busy host.
const bootTime = 3 * time.Minute

func (o *vmOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&o.cpus, "cpus", 4, "number of CPUs")
	f.IntVar(&o.threads, "threads", 1, "CPUs that share a core")
	f.StringVar(&o.home, "home", "0", "`CPULIST` that Linux gets: the first CPUs, as 0 or 0-1")
	f.StringVar(&o.kernel, "kernel", "", "kernel `RELEASE` of /boot, or a file (default: the one the module is built for)")
	f.StringVar(&o.memory, "memory", "2G", "memory `SIZE`")
	f.StringArrayVar(&o.dirs, "dir", nil, "share this `HOSTDIR` read-write at the same path; may be repeated")
	f.StringArrayVar(&o.env, "env", nil, "set `NAME=VALUE`, or pass on NAME, in the command's environment; may be repeated")
	f.StringVar(&o.gdb, "gdb", "", "let gdb attach to the machine's CPUs at this TCP `ADDRESS`, as localhost:1234")
	f.StringArrayVar(&o.append, "append", nil, "add `PARAMS` to the kernel's command line; may be repeated")
	f.StringArrayVar(&o.load, "load", nil, "insert this `MODULE` of the kernel's, unless it is built in; may be repeated")
	f.StringVar(&o.drop, "drop", "", "leave `WORD` out of the kernel's command line, as noreplace-smp")
	f.BoolVar(&o.whole, "whole", false, "boot the kernel's file as it is: slower, but only so it uses five levels of page tables")
	f.BoolVar(&o.reboot, "reboot", false, "when the guest reboots, or starts another kernel by kexec, run the command again, with APKERN_BOOT=2 in its environment, then 3")
	f.BoolVar(&o.noModule, "no-module", false, "do not insert the module")
	f.StringVar(&o.module, "module", "", "insert this module `FILE`")
	f.StringVar(&o.params, "module-params", "", "insert the module with these `PARAMS`, as 'cpus=2-3 stay=0'")
	f.DurationVar(&o.timeout, "timeout", 0, "end the machine after this `TIME`, as 90s or 5m")
	f.DurationVar(&o.boot, "boot", bootTime, "start the machine again, twice at the most, if Linux has not come up after this `TIME`; 0: never")
	f.StringVar(&o.cpu, "cpu", "max", "QEMU's name of the CPU `MODEL`")
	c.MarkFlagsMutuallyExclusive("no-module", "module")
	c.MarkFlagsMutuallyExclusive("no-module", "module-params")
}

func vmRunCommand() *cobra.Command {
	var o vmOptions
	c := &cobra.Command{
		Use:   "run [flags] [--] CMD [ARG]...",
		Short: "run a command in a virtual machine",
		Long: `Runs CMD in a virtual machine, in the current directory and with PATH, HOME, TERM,
the locale and time zone of the caller's environment. The standard streams pass
unaltered; the exit status is CMD's, 128+n when signal n ended it, 126 when it
cannot be executed, 127 when there is none, and 125 when the machine itself
failed or took longer than --timeout.

SIGINT goes to CMD. SIGTERM, SIGHUP and SIGQUIT end the machine at once.`,
		Args: atLeastCommand,
		RunE: func(_ *cobra.Command, args []string) error {
			config, err := o.config(args)
			if err != nil {
				return err
			}
			config.Stdin, config.Stdout, config.Stderr = os.Stdin, os.Stdout, os.Stderr
			return runVM(config, o.timeout)
		},
	}
	o.flags(c)
	return startsCommand(c)
}

// config turns the flags into a machine to run args in, its streams not set.
func (o *vmOptions) config(args []string) (*vm.Config, error) {
	home, err := homeCPUs(o.home, o.cpus)
	if err != nil {
		return nil, err
	}
	if o.threads < 1 || o.cpus%o.threads != 0 {
		return nil, fmt.Errorf("--threads %d: --cpus %d are not whole cores", o.threads, o.cpus)
	}
	cache := cacheDir()
	c := &vm.Config{
		Hypervisor: newHypervisor(cache), CacheDir: cache,
		CPUs: o.cpus, Threads: o.threads, Home: home, Memory: o.memory, CPUModel: o.cpu, GDB: o.gdb,
		Append: strings.Join(o.append, " "), Load: o.load, Drop: o.drop, Whole: o.whole, BootTime: o.boot, Reboots: o.reboot,
		Params: o.params, Args: args, Progress: progress(),
	}
	if o.gdb != "" {
		c.BootTime = 0 // the debugger may hold it
	}
	if c.Init, err = initProgram(); err != nil {
		return nil, err
	}
	if c.Dir, err = os.Getwd(); err != nil {
		return nil, err
	}
	if c.Shares, err = shares(o.dirs); err != nil {
		return nil, err
	}
	if c.Env, err = guestEnv(os.Environ(), o.env); err != nil {
		return nil, err
	}
	if err := o.products(c); err != nil {
		return nil, err
	}
	c.Kernel, err = vm.FindKernel(o.kernel, c.Insert)
	return c, err
}

// cacheDir is where machines keep what they need again.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "apkern")
}

// homeCPUs returns how many CPUs Linux gets. It boots on CPU 0 and can be told
// only how many of the following ones to start.
func homeCPUs(list string, cpus int) (int, error) {
	if cpus < 1 || cpus > cpulist.Max {
		return 0, fmt.Errorf("--cpus %d: from 1 to %d are possible", cpus, cpulist.Max)
	}
	home, err := cpulist.Parse(list)
	if err != nil {
		return 0, fmt.Errorf("--home: %w", err)
	}
	if home[len(home)-1] != len(home)-1 {
		return 0, fmt.Errorf("--home %s: Linux gets the first CPUs: 0, or 0-1, or more", list)
	}
	if len(home) > cpus {
		return 0, fmt.Errorf("--home %s: there are only %d CPUs; raise --cpus", list, cpus)
	}
	return len(home), nil
}

// products sets the module and the library.
func (o *vmOptions) products(c *vm.Config) (err error) {
	c.Library, err = findProduct(libraryFile)
	if o.noModule {
		// A kernel without application CPUs may be all that is wanted.
		return nil
	}
	if err != nil {
		return err
	}
	if c.Home == c.CPUs && o.params == "" {
		c.Progress("Linux has all CPUs: the module is not inserted")
		return nil
	}
	if o.module != "" {
		c.Insert, err = filepath.Abs(o.module)
		return err
	}
	c.Insert, err = findProduct(moduleFile)
	return err
}

// shares checks the directories of --dir and makes them absolute.
func shares(dirs []string) ([]string, error) {
	paths := make([]string, 0, len(dirs))
	for _, d := range dirs {
		st, err := os.Stat(d)
		if err != nil {
			return nil, fmt.Errorf("--dir: %w", err)
		}
		if !st.IsDir() {
			return nil, fmt.Errorf("--dir: %s is not a directory", d)
		}
		abs, err := filepath.Abs(d)
		if err != nil {
			return nil, err
		}
		paths = append(paths, abs)
	}
	return paths, nil
}

// passedOn are the variables of the caller's environment that make sense in the guest.
var passedOn = []string{"HOME", "TERM", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME"}

// guestEnv is the command's environment: PATH and passedOn and the locale of
// the caller's, changed by extra (NAME=VALUE, or NAME to pass on).
func guestEnv(caller, extra []string) ([]string, error) {
	env := []string{"PATH=" + guestPath(os.Getenv("PATH"))}
	for _, e := range caller {
		name, _, _ := strings.Cut(e, "=")
		for _, p := range passedOn {
			if name == p {
				env = append(env, e)
			}
		}
		if strings.HasPrefix(name, "LC_") {
			env = append(env, e)
		}
	}
	for _, e := range extra {
		name, _, assigned := strings.Cut(e, "=")
		if name == "" {
			return nil, fmt.Errorf("--env %q: write NAME=VALUE, or NAME", e)
		}
		value, set := os.LookupEnv(name)
		if !assigned && !set {
			continue
		}
		if !assigned {
			e = name + "=" + value
		}
		env = append(without(env, name), e)
	}
	return env, nil
}

// without returns env without the variable name.
func without(env []string, name string) []string {
	kept := env[:0]
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			kept = append(kept, e)
		}
	}
	return kept
}

// guestPath is path with the directory of the guest's apkern in front, before
// any other apkern that the host has.
func guestPath(path string) string {
	const dir = "/usr/local/bin"
	if path == "" {
		path = launch.DefaultPath
	}
	if first, _, _ := strings.Cut(path, ":"); first == dir {
		return path
	}
	return dir + ":" + path
}

// runVM runs the machine and turns the outcome into the subcommand's.
func runVM(config *vm.Config, timeout time.Duration) error {
	ctx, cancel := machineContext(timeout)
	defer cancel(nil)
	config.Signals = passSignals(cancel)
	return runResult(vm.Run(ctx, *config))
}

// machineContext is what a machine lives in: at most for timeout, unless 0.
func machineContext(timeout time.Duration) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	if timeout > 0 {
		time.AfterFunc(timeout, func() { cancel(vm.TimeLimit{Limit: timeout}) })
	}
	return ctx, cancel
}

// runResult turns how a machine ended into how the subcommand does.
func runResult(status int, err error) error {
	var ended *signalError
	switch {
	case errors.As(err, &ended):
		return &exitError{status: launch.StatusSignal + int(ended.signal)}
	case errors.Is(err, vm.ErrInterrupted):
		return &exitError{status: launch.StatusSignal + int(syscall.SIGINT)}
	case errors.Is(err, syscall.EPIPE) && errors.As(err, new(*vm.OutputError)):
		// As if the signal that it ignores had ended it: nobody reads on.
		return &exitError{status: launch.StatusSignal + int(syscall.SIGPIPE)}
	case err != nil:
		return err
	case status != 0:
		return &exitError{status: status}
	}
	return nil
}
