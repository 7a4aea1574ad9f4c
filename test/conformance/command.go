package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// scratch is where runs have their directories: a tmpfs, natural to tests.
const scratch = "/run/conformance"

// killLimit is how long killed processes may take to be gone.
const killLimit = time.Minute

// hung is how a command ended that was killed for its limit.
const hung = "hung"

// command is a program to run with all its descendants in a control group of its
// own, so that none is left however they detach. The group has no controllers: a
// thread in one of the cpu controller's would stay home.
type command struct {
	argv []string
	env  []string
	dir  string
}

var groups atomic.Int32

// run runs the command. It returns pass, "exit N", "signal N" or hung; an error is
// for one that could not be started.
func (c command) run(out *os.File, limit time.Duration) (string, error) {
	group := fmt.Sprintf("/sys/fs/cgroup/conformance-%d-%d", os.Getpid(), groups.Add(1))
	if err := os.Mkdir(group, 0o755); err != nil {
		return "", err
	}
	defer removeGroup(group)
	dir, err := os.Open(group)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	path, err := find(c.argv[0], c.env)
	if err != nil {
		return "", err
	}
	cmd := &exec.Cmd{
		Path: path, Args: c.argv, Env: c.env, Dir: c.dir, Stdout: out, Stderr: out,
		// As a shell's job: the leader of a session would gain a terminal by opening one.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, UseCgroupFD: true, CgroupFD: int(dir.Fd())},
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return ending(err)
	case <-time.After(limit):
	}
	kill(group)
	select {
	case <-ended:
		return hung, nil
	case <-time.After(killLimit):
		return "hung, and not even killed", nil
	}
}

// ending turns what Wait returned into an outcome.
func ending(err error) (string, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return pass, nil
	case !errors.As(err, &exit):
		return "", err
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
		return fmt.Sprintf("signal %d", ws.Signal()), nil
	}
	return fmt.Sprintf("exit %d", exit.ExitCode()), nil
}

// find looks for a program in the PATH of env.
func find(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, e := range env {
		path, ok := strings.CutPrefix(e, "PATH=")
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, name)
			if st, err := os.Stat(file); ok && err == nil && st.Mode()&0o111 != 0 {
				return file, nil
			}
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

func kill(group string) { _ = os.WriteFile(group+"/cgroup.kill", []byte("1"), 0) }

// removeGroup ends what is left of a group and removes it.
func removeGroup(group string) {
	kill(group)
	// Removal succeeds once the last killed process is gone.
	for end := time.Now().Add(killLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := os.Remove(group); err == nil {
			return
		}
	}
}
