package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// verdict is how a guard test ended.
type verdict int

const (
	passed verdict = iota
	failed         // the test itself says so
	broke          // the VM ended before the test did
)

// lab builds trees and runs guards.
type lab interface {
	// mutate changes the copy of the tree and returns what puts it back. It fails
	// unless every edit's old text occurs exactly once.
	mutate(m mutant) (restore func() error, err error)
	// build makes the mutant's module of the copy and returns its path.
	build(m mutant) (module string, err error)
	// original returns the path of the unchanged tree's module, for the mutant's kernel.
	original(m mutant) string
	// guard runs the mutant's guest test with a module. The error is for a test
	// that did not run at all.
	guard(m mutant, module string) (verdict, error)
}

// survivors is the error that says which mutants nobody noticed.
type survivors struct{ names []string }

func (s *survivors) Error() string {
	return fmt.Sprintf("not noticed by their guards: %s", strings.Join(s.names, ", "))
}

// harness tries mutants one after the other.
type harness struct {
	lab     lab
	out     io.Writer // the table
	log     io.Writer // progress
	stopped func() bool
}

const row = "%-26s%-34s%s\n"

// run tries the mutants and writes the table. It goes on after a survivor and
// then returns a *survivors; it ends at once when a mutant could not be tried.
func (h *harness) run(mutants []mutant) error {
	fmt.Fprintf(h.out, row, "mutant", "guard", "caught")
	type where struct {
		guard     string
		up, debug bool
	}
	sound := map[where]bool{} // guards known to pass unmodified
	var alive survivors
	for _, m := range mutants {
		if h.stopped() {
			return errors.New("interrupted")
		}
		if at := (where{m.guard, m.up, m.debug}); !sound[at] {
			if err := h.passes(m); err != nil {
				return err
			}
			sound[at] = true
		}
		v, err := h.try(m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		caught := map[verdict]string{passed: "NO", failed: "yes", broke: "yes (the VM broke)"}[v]
		fmt.Fprintf(h.out, row, m.name, m.guard, caught)
		if v == passed {
			alive.names = append(alive.names, m.name)
		}
	}
	if len(alive.names) > 0 {
		return &alive
	}
	return nil
}

// passes returns an error unless the guard passes with the unchanged module: a
// test that always fails would catch everything.
func (h *harness) passes(m mutant) error {
	fmt.Fprintf(h.log, "mutants: %s with the unchanged module\n", m.guard)
	v, err := h.lab.guard(m, h.lab.original(m))
	if err == nil && v != passed {
		err = errors.New("does not pass with the unchanged module, so it cannot tell anything; see build/mutants/apkern.log")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.guard, err)
	}
	return nil
}

// try builds one mutant and runs its guard. The copy of the tree is as before
// afterwards.
func (h *harness) try(m mutant) (v verdict, err error) {
	fmt.Fprintf(h.log, "mutants: %s: %s\n", m.name, m.breaks)
	restore, err := h.lab.mutate(m)
	if err != nil {
		return passed, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	module, err := h.lab.build(m)
	if err != nil {
		return passed, err
	}
	return h.lab.guard(m, module)
}
