// Command kernels runs the guest tests on every kernel that apkern claims, in
// every variant of its table, and writes the results as a table:
//
//	go run ./test/kernels [-list] [-o FILE] [ROW...]
//
// A ROW is a kernel ("6.12-rt": all its rows) or a kernel and a variant
// ("6.1-amd64/8 CPUs"); none means all. The kernels are those of build/kernels
// and build/up-kernel, with modules in build/kernels/modules: `make test-kernels`
// builds them first. What a row printed is in build/kernels/log. It goes on after
// a row that failed and ends with 1 then.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	list := flag.Bool("list", false, "list the rows and end")
	out := flag.String("o", "build/kernels/result.md", "write the table to this `FILE` too")
	flag.Parse()
	rows, err := choose(table, flag.Args())
	if err == nil && *list {
		for _, r := range rows {
			fmt.Println(r.name())
		}
		return
	}
	if err == nil {
		err = run(rows, *out)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "kernels: %v\n", err)
		os.Exit(1)
	}
}

func (r row) name() string {
	if r.variant == "" {
		return r.kernel
	}
	return r.kernel + "/" + r.variant
}

// choose returns the rows of these names, all if there are none.
func choose(all []row, names []string) ([]row, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []row
	for _, name := range names {
		before := len(chosen)
		for _, r := range all {
			if r.kernel == name || r.name() == name {
				chosen = append(chosen, r)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("there is no row %q; -list shows them", name)
		}
	}
	return chosen, nil
}

// run runs the rows and writes the table after each, so that one who interrupts
// it has what there is.
func run(rows []row, file string) error {
	if err := os.MkdirAll("build/kernels/log", 0o755); err != nil {
		return err
	}
	var results []result
	for _, r := range rows {
		fmt.Fprintf(os.Stderr, "kernels: %s\n", r.name())
		res, err := runRow(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name(), err)
		}
		results = append(results, res)
		if err := save(file, results); err != nil {
			return err
		}
	}
	write(os.Stdout, results)
	if slices.ContainsFunc(results, func(r result) bool { return r.failed > 0 }) {
		return errors.New("some rows failed; what they printed is in build/kernels/log")
	}
	return nil
}

func save(file string, results []result) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	write(f, results)
	return f.Close()
}

// runRow runs one row's boots. A failed test is a result; the error is for a
// row that could not be tried.
func runRow(r row) (result, error) {
	res := result{row: r}
	if r.absent != "" {
		return res, nil
	}
	dir, kind := filepath.Join("build/kernels", r.kernel), "smp"
	if r.kernel == "up" {
		dir, kind = "build/up-kernel", "up"
	}
	release, err := os.ReadFile(filepath.Join(dir, "release"))
	if err != nil {
		return res, fmt.Errorf("the kernel is not there: run make test-kernels (%w)", err)
	}
	res.release = strings.TrimSpace(string(release))
	cmd := exec.Command("test/run-vm.sh", r.boots...)
	cmd.Env = append(os.Environ(),
		"KIND="+kind,
		"KERNEL="+filepath.Join(dir, "boot", "vmlinuz-"+res.release),
		"MODULE="+filepath.Join("build/kernels/modules", r.kernel, "apkern.ko"),
		"VMFLAGS="+strings.Join(r.flags, "|"))
	if r.cpus != 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("CPUS=%d", r.cpus))
	}
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return res, err
	}
	res.count(string(output))
	if err != nil && res.failed == 0 {
		return res, fmt.Errorf("test/run-vm.sh failed before a test did:\n%s", output)
	}
	log := strings.NewReplacer("/", "-", " ", "-").Replace(r.name()) + ".log"
	return res, os.WriteFile(filepath.Join("build/kernels/log", log), output, 0o644)
}
