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
	if m.up {
		return "build/up/apkern.ko"
	}
	return "build/apkern.ko"
}

// upKernel is where `make up-kernel` links the Linux without SMP.
const upKernel = "build/up-kernel"

// prepare checks that everything is built and copies the tree.
func (l *vmLab) prepare() error {
	for _, product := range []string{"bin/apkern", "build/apkern.ko", "build/up/apkern.ko", upKernel, "build/guest.test", "build/test"} {
		if _, err := os.Stat(filepath.Join(l.root, product)); err != nil {
			return fmt.Errorf("there is no %s: run make test-mutants", product)
		}
	}
	if err := copyTree(l.root, l.tree(), "build", "bin"); err != nil {
		return err
	}
	link := filepath.Join(l.tree(), upKernel)
	if _, err := os.Lstat(link); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(l.root, upKernel), link)
}

func (l *vmLab) mutate(m mutant) (func() error, error) {
	return mutateTree(l.tree(), m.edits)
}

func (l *vmLab) build(m mutant) (string, error) {
	name := m.name
	args := []string{"-C", l.tree(), product(m)}
	if l.kernel != "" && !m.up {
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
	if m.up {
		release, err := os.ReadFile(filepath.Join(l.root, upKernel, "release"))
		if err != nil {
			return passed, err
		}
		kernel = filepath.Join(l.root, upKernel, "boot", "vmlinuz-"+strings.TrimSpace(string(release)))
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
	return judge(m.guard, cmd.ProcessState.ExitCode(), out)
}

// patience is how many seconds a program that meets its danger by chance tries
// with a mutant, in which it ends when it has.
const patience = "60"

// command returns the arguments of apkern that run a mutant's guest test.
func (l *vmLab) command(m mutant, module, kernel string) []string {
	args := []string{"vm", "run", "--cpus", "4", "--timeout", "15m", "--module", module,
		"--env", "APKERN_GUEST=1", "--env", "APKERN_MODULE=" + module}
	if kernel != "" {
		args = append(args, "--kernel", kernel)
	}
	if filepath.Dir(module) == l.dir() {
		args = append(args, "--env", "APKERN_PATIENCE="+patience)
	}
	args = append(args, strings.Fields(m.vm)...)
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
