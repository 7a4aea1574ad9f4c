// Command conformance runs other projects' test suites natively and adopted by
// apkern in the same virtual machine, and compares them test by test:
//
//	conformance [-list | -report] [-o FILE] [SUITE...]
//
// A SUITE is one of the table ("cpython/test_os") or a group of it ("cpython");
// none means all. `make conformance` builds what the suites need first. Each suite
// has a machine of its own. What it found is in build/conformance/results/SUITE, and
// a suite that has a result there is not run again with -continue, and none with -report.
//
// A difference that docs/limits.md does not explain makes it end with 1.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where the products of the build and the results are, below the repository.
const (
	buildDir   = "build/conformance"
	resultsDir = buildDir + "/results"
	limitsFile = "docs/limits.md"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "guest":
		err = guestMain(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "each":
		err = eachMain(os.Args[2:])
	default:
		err = hostMain()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		if errors.Is(err, errClock) {
			os.Exit(clockStatus)
		}
		os.Exit(1)
	}
}

func hostMain() error {
	list := flag.Bool("list", false, "list the suites and end")
	out := flag.String("o", buildDir+"/result.md", "write the table to this `FILE` too")
	resume := flag.Bool("continue", false, "do not run suites again that have a result")
	report := flag.Bool("report", false, "run nothing: write the table of the results that are there")
	params := flag.String("params", "", "parameters of the module, as stay=0")
	flag.Parse()
	chosen, err := choose(table, flag.Args())
	if err != nil {
		return err
	}
	if *list {
		for _, s := range chosen {
			fmt.Println(s.name)
		}
		return nil
	}
	known, err := readLimits(limitsFile)
	if err != nil {
		return err
	}
	r := runner{params: *params, resume: *resume || *report}
	if *report {
		chosen = slices.DeleteFunc(chosen, func(s suite) bool { return !r.has(s) })
	}
	return run(chosen, r, known, *out)
}

// choose returns the suites of these names, all if there are none.
func choose(all []suite, names []string) ([]suite, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []suite
	for _, name := range names {
		before := len(chosen)
		if i := slices.IndexFunc(all, func(s suite) bool { return s.name == name }); i >= 0 {
			chosen = append(chosen, all[i])
			continue
		}
		for _, s := range all {
			if strings.HasPrefix(s.name, name+"/") {
				chosen = append(chosen, s)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("there is no suite %q; -list shows them", name)
		}
	}
	return chosen, nil
}

// run runs the suites and writes the table after each, so that one who interrupts
// it has what there is.
func run(suites []suite, r runner, known []limit, file string) error {
	var results []result
	for _, s := range suites {
		if !r.resume || !r.has(s) {
			fmt.Fprintf(os.Stderr, "conformance: %s\n", s.name)
		}
		res, err := r.run(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		results = append(results, res)
		if err := save(file, results, known); err != nil {
			return err
		}
	}
	writeReport(os.Stdout, results, known)
	if n := unexplained(results, known); n > 0 {
		return fmt.Errorf("%d differences that %s does not explain", n, limitsFile)
	}
	return nil
}

func save(file string, results []result, known []limit) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	writeReport(f, results, known)
	return f.Close()
}
