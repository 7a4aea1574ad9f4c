package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"apkern/internal/bench"
	"apkern/internal/client"
)

// What the machine has where.
const (
	parametersDir = "/sys/module/apkern/parameters"
	policyFile    = parametersDir + "/stay"
	library       = "/lib/libstartup.so.1"
)

// Here is this machine, with the module loaded.
type Here struct {
	Programs string        // directory of the benchmarks' programs
	Limit    time.Duration // of one run

	module  string // its directory of counters
	apkern  string // this program
	home    uint64 // APIC ids of Linux's own CPUs, as a mask
	scratch string
	policy  string // what the parameter was before, "": not touched
}

// NewHere prepares this machine for a plan. The caller closes it.
func NewHere(plan *bench.Plan) (*Here, error) {
	h := &Here{Programs: plan.Programs, Limit: plan.Limit, module: client.SysfsDir}
	var err error
	if h.apkern, err = os.Executable(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(h.Programs, "call")); err != nil {
		return nil, fmt.Errorf("the benchmarks' programs are not in %s: build them with make", h.Programs)
	}
	if h.scratch, err = os.MkdirTemp("", "apkern-bench-"); err != nil {
		return nil, err
	}
	if err := FillScratch(h.scratch); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Close implements Machine.
func (h *Here) Close() error {
	var err error
	if h.policy != "" {
		err = os.WriteFile(policyFile, []byte(h.policy), 0)
	}
	return errors.Join(err, os.RemoveAll(h.scratch))
}

// Installed implements Machine.
func (h *Here) Installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// Run implements Machine.
func (h *Here) Run(ctx context.Context, b *bench.Benchmark, r *bench.Run) (Output, error) {
	if r.Side == bench.Adopted {
		if err := h.setPolicy(b.Policy); err != nil {
			return Output{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, h.Limit)
	defer cancel()
	argv, env := h.command(b, r.Side)
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir = h.scratch
	c.Env = env
	// A group of its own: what it started ends with it, and a terminal's ^C is ours.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	before, err := h.counted()
	if err != nil {
		return Output{}, err
	}
	if err := c.Run(); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return Output{}, fmt.Errorf("it took longer than %v", h.Limit)
		}
		return Output{}, complaint(err, errs.String())
	}
	after, err := h.counted()
	if err != nil {
		return Output{}, err
	}
	files, err := h.sumUp(b.Output)
	return Output{out.String(), files, after.visits - before.visits, after.threads - before.threads}, err
}

// complaint is a program's error in one line.
func complaint(err error, stderr string) error {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// command is the command line and environment of a benchmark on a side.
func (h *Here) command(b *bench.Benchmark, side bench.Side) (argv, env []string) {
	for _, a := range b.Command(side) {
		argv = append(argv, strings.ReplaceAll(a, bench.Scratch, h.scratch))
	}
	argv[0] = filepath.Join(h.Programs, argv[0])
	preload := filepath.Join(h.Programs, "witness.so")
	env = []string{
		"PATH=" + os.Getenv("PATH"), "LANG=C", "HOME=" + h.scratch, "TMPDIR=" + h.scratch,
		fmt.Sprintf("HOME_APICS=%#x", h.home),
	}
	switch {
	case side == bench.Native:
		env = append(env, "WHERE=any", "NOAPPKERN=1")
	case b.Adoption == bench.ByRun:
		argv = append([]string{h.apkern, "run", "--"}, argv...)
	case b.Adoption == bench.ByChild:
		preload += ":" + library
	}
	return argv, append(env, "CHILD_PRELOAD="+preload)
}

// counts are of what happened since the module was inserted.
type counts struct {
	visits, threads int64 // made; adopted
}

func (h *Here) counted() (c counts, err error) {
	if c.visits, err = h.counter("away"); err != nil {
		return c, err
	}
	c.threads, err = h.counter("adopted")
	return c, err
}

func (h *Here) counter(name string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(h.module, "home", name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// setPolicy switches the rule that keeps threads at home.
func (h *Here) setPolicy(on bool) error {
	old, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	want := byte('N')
	if on {
		want = 'Y'
	}
	if len(old) > 0 && old[0] == want {
		return nil
	}
	if h.policy == "" {
		h.policy = string(old)
	}
	return os.WriteFile(policyFile, []byte{want}, 0)
}

// sumUp is one word for the contents of files in the scratch directory.
func (h *Here) sumUp(files []string) (string, error) {
	if len(files) == 0 {
		return "", nil
	}
	sum := sha256.New()
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(h.scratch, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%d %s\n", len(data), data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}
