package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// vmLab builds with make and runs guards with `apkern vm run`.
//
//	build/mutants/tree        the copy, changed and put back for each mutant
//	build/mutants/NAME.ko     a mutant's module
//	build/mutants/NAME.log    what its build and its guard wrote
//
// All mutants share one copy, so that each costs the build of what it changes.
type vmLab struct {
	root   string
	kernel string // "": the default of make and of vm run
	log    io.Writer
}

func (l *vmLab) dir() string  { return filepath.Join(l.root, "build", "mutants") }
func (l *vmLab) tree() string { return filepath.Join(l.dir(), "tree") }

func (l *vmLab) original(m mutant) string { return filepath.Join(l.root, product(m)) }

// product is make's target for the module that a mutant is tried with.
func product(m mutant) string {
	switch {
	case m.up:
		return "build/up/apkern.ko"
	case m.debug:
		return "build/debug/apkern.ko"
	}
	return "build/apkern.ko"
}

// built is where make links the Linux that was built for the mutant, "" for one
// that is tried with an installed Linux.
func built(m mutant) string {
	switch {
	case m.up:
		return "build/up-kernel"
	case m.debug:
		return "build/debug-kernel"
	}
	return ""
}

// prepare checks that everything is built and copies the tree.
func (l *vmLab) prepare(chosen []mutant) error {
	products := []string{"bin/apkern", "build/guest.test", "build/test"}
	kernels := map[string]bool{}
	for _, m := range chosen {
		products = append(products, product(m))
		if k := built(m); k != "" {
			products = append(products, k)
			kernels[k] = true
		}
	}
	for _, product := range products {
		if _, err := os.Stat(filepath.Join(l.root, product)); err != nil {
			return fmt.Errorf("there is no %s: run make test-mutants, or make debug-kernel before it", product)
		}
	}
	if err := copyTree(l.root, l.tree(), "build", "bin"); err != nil {
		return err
	}
	for k := range kernels {
		if err := l.link(k); err != nil {
			return err
		}
	}
	return nil
}

// link gives the copy a kernel of the tree's.
func (l *vmLab) link(kernel string) error {
	link := filepath.Join(l.tree(), kernel)
	if _, err := os.Lstat(link); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(l.root, kernel), link)
}

func (l *vmLab) mutate(m mutant) (func() error, error) {
	return mutateTree(l.tree(), m.edits)
}

func (l *vmLab) build(m mutant) (string, error) {
	name := m.name
	args := []string{"-C", l.tree(), product(m)}
	if l.kernel != "" && built(m) == "" {
		args = append(args, "KREL="+l.kernel)
	}
	out, err := exec.Command("make", args...).CombinedOutput()
	if err := l.keep(name, out); err != nil {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("it does not build: %w\n%s", err, tail(out))
	}
	module := filepath.Join(l.dir(), name+".ko")
	return module, copyFile(filepath.Join(l.tree(), product(m)), module)
}

func (l *vmLab) guard(m mutant, module string) (verdict, error) {
	kernel := l.kernel
	if dir := built(m); dir != "" {
		release, err := os.ReadFile(filepath.Join(l.root, dir, "release"))
		if err != nil {
			return passed, err
		}
		kernel = filepath.Join(l.root, dir, "boot", "vmlinuz-"+strings.TrimSpace(string(release)))
	}
	cmd := exec.Command(filepath.Join(l.root, "bin", "apkern"), l.command(m, module, kernel)...)
	cmd.Dir = l.root
	out, err := cmd.CombinedOutput()
	if err := l.keep(strings.TrimSuffix(filepath.Base(module), ".ko"), out); err != nil {
		return passed, err
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return passed, err
	}
	status := cmd.ProcessState.ExitCode()
	if m.debug && status == 1 && reported(out) {
		return failed, nil
	}
	return judge(m.guard, status, out)
}

// reported tells whether the Linux that watches itself had something to report,
// which fails the run though the test passed.
func reported(output []byte) bool {
	return bytes.Contains(output, []byte("watched: REPORT")) || bytes.Contains(output, []byte("watched: LEAKS"))
}

// patience is how many seconds a program that meets its danger by chance tries
// with a mutant, in which it ends when it has.
const patience = "60"

// watchedFlags are those of make test-debug-kernel.
var watchedFlags = strings.Fields("--whole --memory 3G --append log_buf_len=16M --append loglevel=1 --env APKERN_WATCHED=1 --env APKERN_SLOWER=6")

// command returns the arguments of apkern that run a mutant's guest test.
func (l *vmLab) command(m mutant, module, kernel string) []string {
	args := []string{"vm", "run", "--cpus", "4", "--timeout", "30m",
		"--env", "APKERN_GUEST=1", "--env", "APKERN_MODULE=" + module, "--env", "KERNEL=" + kernel}
	if !strings.Contains(m.flags, "--no-module") {
		args = append(args, "--module", module)
	}
	if kernel != "" {
		args = append(args, "--kernel", kernel)
	}
	args = append(args, strings.Fields(m.flags)...)
	if m.debug {
		args = append(args, watchedFlags...)
	}
	if filepath.Dir(module) == l.dir() {
		args = append(args, "--env", "APKERN_PATIENCE="+patience)
	}
	return append(args, "--", filepath.Join(l.root, "build", "guest.test"),
		"-test.v", "-test.run", pattern(m.guard))
}

// pattern returns the -test.run pattern for exactly one test or subtest.
func pattern(test string) string {
	return "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
}

// vmFailed is the status of `apkern vm run` when the VM did not get to the end.
const vmFailed = 125

// judge reads a guard's outcome from its status and its output: the test must
// have run, whatever the status.
func judge(test string, status int, output []byte) (verdict, error) {
	switch {
	case status == 0 && bytes.Contains(output, []byte("--- PASS: "+test+" ")):
		return passed, nil
	case status == 1 && bytes.Contains(output, []byte("--- FAIL: "+test+" ")):
		return failed, nil
	case status == vmFailed && bytes.Contains(output, []byte("=== RUN   "+test+"\n")):
		return broke, nil
	}
	return passed, fmt.Errorf("%s did not run, status %d:\n%s", test, status, tail(output))
}

// keep adds output to a mutant's log.
func (l *vmLab) keep(name string, output []byte) error {
	f, err := os.OpenFile(filepath.Join(l.dir(), name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(output)
	return errors.Join(err, f.Close())
}

// tail returns the last lines of a command's output.
func tail(output []byte) []byte {
	const lines = 30
	all := bytes.SplitAfter(bytes.TrimSpace(output), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], nil)
}
