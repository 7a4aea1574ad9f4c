// Command mutants shows that the guest tests can fail. For each mutant in the
// table it breaks one mechanism in a copy of the source tree, builds module and
// application kernel from that, and runs the one test that guards the mechanism
// in a VM: it must fail there, and pass with the unchanged module.
//
//	go run ./test/mutants [-kernel RELEASE] [-list] [NAME...]
//
// Run it in the tree's root after `make all build/guest.test programs`, or by
// `make test-mutants`. Mutants of the Linux that watches itself need
// `make debug-kernel` and are tried only when they are named. Ends with 1 when a mutant survives, and with 2 when
// something else goes wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
)

func main() {
	kernel := flag.String("kernel", "", "Linux release to build for and to boot (default: make's and vm run's choice)")
	list := flag.Bool("list", false, "list the mutants and end")
	flag.Parse()
	if *list {
		for _, m := range table {
			fmt.Printf("%-26s%-34s%s\n", m.name, m.guard, m.breaks)
		}
		return
	}
	chosen, err := choose(table, flag.Args())
	if err == nil {
		err = run(*kernel, chosen)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		var alive *survivors
		if errors.As(err, &alive) {
			os.Exit(1)
		}
		os.Exit(2)
	}
}

func run(kernel string, chosen []mutant) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "abi", "handover.h")); err != nil {
		return fmt.Errorf("%s is not the root of the source tree", root)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	lab := &vmLab{root: root, kernel: kernel, log: os.Stderr}
	if err := lab.prepare(chosen); err != nil {
		return err
	}
	h := harness{lab: lab, out: os.Stdout, log: os.Stderr, stopped: func() bool { return len(signals) > 0 }}
	return h.run(chosen)
}

// choose returns the mutants with these names; if there are none all but those
// of the Linux that watches itself, which takes half an hour to build.
func choose(all []mutant, names []string) ([]mutant, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(all), func(m mutant) bool { return m.debug }), nil
	}
	var chosen []mutant
	for _, name := range names {
		i := slices.IndexFunc(all, func(m mutant) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no mutant %q; -list shows them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
