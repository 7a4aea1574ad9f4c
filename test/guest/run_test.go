package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Statuses of the test programs.
const (
	statusNotAway = 99 // a thread that must be away never left
	statusNoAVX2  = 77
)

// timeLimit ends a program that hangs. It is generous, since an emulated
// machine on a busy host is slow, and nothing depends on how long a program takes.
const timeLimit = 3 * time.Minute

// way is how a command is started.
type way struct {
	name   string
	prefix []string // of the command line
	env    []string
}

// The ways: native ones say so to the test programs, which then do not insist
// on being away. The two values of WHERE have the same length, so that the
// initial stacks are equal.
var (
	native  = way{name: "native", env: []string{"WHERE=any"}}
	preload = way{name: "preload", env: []string{"WHERE=out", "LD_PRELOAD=/lib/libstartup.so.1"}}
	viaRun  = way{name: "apkern run", prefix: []string{"apkern", "run", "--"}, env: []string{"WHERE=out"}}
)

// outcome is all that a command shows to whoever runs it.
type outcome struct {
	Stdout, Stderr string
	Status         int // as a shell has it: 128 + number for a signal
}

// command is a command line with what it is run with.
type command struct {
	argv  []string
	stdin string
	dir   string
	env   []string // added last
	limit time.Duration
}

// environment is that of a command: fixed, so that runs can be compared.
func environment(t *testing.T, w way, extra []string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/tmp", "LC_ALL=C", "TERM=dumb",
		fmt.Sprintf("HOME_APICS=%#x", homeAPICs(t)),
	}
	return append(append(env, w.env...), extra...)
}

// start starts a command in a process group of its own.
func start(t *testing.T, w way, c command) *exec.Cmd {
	t.Helper()
	argv := append(append([]string{}, w.prefix...), c.argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = c.dir
	cmd.Env = environment(t, w, c.env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a command to its end. One that exceeds its limit is killed with its
// process group and fails the test.
func run(t *testing.T, w way, c command) outcome {
	t.Helper()
	limit := c.limit
	if limit == 0 {
		limit = timeLimit
	}
	limit = patient(limit)
	var stdout, stderr bytes.Buffer
	cmd := start(t, w, c)
	cmd.Stdin = strings.NewReader(c.stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s (%s): %v", c.argv[0], w.name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { killGroup(cmd) })
	err := cmd.Wait()
	if stop(); ctx.Err() != nil {
		t.Fatalf("%s (%s): still running after %v, killed\nstdout: %s\nstderr: %s", strings.Join(c.argv, " "), w.name, limit, stdout.String(), stderr.String())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s (%s): %v", c.argv[0], w.name, err)
	}
	return outcome{stdout.String(), stderr.String(), status(cmd.ProcessState)}
}

// killGroup kills a command that start made, with all in its process group.
func killGroup(cmd *exec.Cmd) {
	// It may be gone already: there is nobody to tell.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}

// status returns a shell's number for how a process ended.
func status(s *os.ProcessState) int {
	ws := s.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// succeed runs a test program away and fails the test unless it ends with status 0.
func succeed(t *testing.T, w way, argv ...string) outcome {
	t.Helper()
	o := run(t, w, command{argv: argv})
	switch o.Status {
	case 0:
	case statusNotAway:
		t.Fatalf("%s (%s): its threads were not away: %s", argv[0], w.name, o.Stderr)
	default:
		t.Fatalf("%s (%s): status %d\nstdout: %s\nstderr: %s", strings.Join(argv, " "), w.name, o.Status, o.Stdout, o.Stderr)
	}
	if o.Stderr != "" {
		t.Log(strings.TrimSpace(o.Stderr))
	}
	return o
}

// eventually waits until ok says so, or fails the test with what it last said.
func eventually(t *testing.T, what string, ok func() (bool, string)) {
	t.Helper()
	patience := patient(60 * time.Second)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		done, state := ok()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s: not within %v: %s", what, patience, state)
			return
		}
	}
}
