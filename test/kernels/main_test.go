package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const output = `=== programs: TestA|TestB
=== RUN   TestA
    --- PASS: TestA/one (0.10s)
    --- FAIL: TestA/two words (0.10s)
--- FAIL: TestA (0.20s)
--- SKIP: TestB (0.00s)
=== 5-level: TestC
--- PASS: TestC (0.20s)
--- PASS: TestC (0.20s)
run-vm.sh: failed: programs
`

func TestCount(t *testing.T) {
	var r result
	r.count(output)
	if r.passed != 2 || r.failed != 1 || r.skips != 1 {
		t.Errorf("%d passed, %d failed, %d skipped; want 2, 1, 1", r.passed, r.failed, r.skips)
	}
	if diff := cmp.Diff([]string{"TestA/two"}, r.failures); diff != "" {
		t.Error(diff)
	}
}

// A VM that ends in the middle of a test must not count as a success.
func TestCountBrokenBoot(t *testing.T) {
	var r result
	r.count("--- PASS: TestA (0.1s)\n=== RUN   TestB\nrun-vm.sh: failed: away\n")
	if r.passed != 1 || r.failed != 1 || r.failures[0] != "boot away" {
		t.Errorf("%+v", r)
	}
}

func TestWrite(t *testing.T) {
	var b strings.Builder
	write(&b, []result{
		{row: row{kernel: "k"}, release: "6.1-x", passed: 3},
		{row: row{kernel: "k", variant: "v"}, failed: 1, failures: []string{"TestA"}},
		{row: row{kernel: "k", variant: "w", absent: "no reason"}},
	})
	for _, want := range []string{
		"| k | 6.1-x | as it comes, 4 CPUs | 3 | 3 | 0 | 0 |",
		"| k |  | v | 1 | 0 | 1: TestA | 0 |",
		"| k | | w | not run: no reason |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestChoose(t *testing.T) {
	all := []row{{kernel: "a"}, {kernel: "a", variant: "v"}, {kernel: "b"}}
	if got, err := choose(all, []string{"a"}); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := choose(all, []string{"a/v"}); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := choose(all, []string{"c"}); err == nil {
		t.Error("an unknown row was accepted")
	}
}

// Every boot that the table names is one of test/run-vm.sh.
func TestTable(t *testing.T) {
	script, err := os.ReadFile("../run-vm.sh")
	if err != nil {
		t.Fatal(err)
	}
	var boots []string
	for _, m := range regexp.MustCompile(`(?m)^(\S+) +(smp|up|any) `).FindAllSubmatch(script, -1) {
		boots = append(boots, string(m[1]))
	}
	seen := map[string]bool{}
	for _, r := range table {
		if seen[r.name()] {
			t.Errorf("%s: twice", r.name())
		}
		seen[r.name()] = true
		if (len(r.boots) == 0) != (r.absent != "") {
			t.Errorf("%s: boots %v, absent %q", r.name(), r.boots, r.absent)
		}
		for _, b := range r.boots {
			if !slices.Contains(boots, b) {
				t.Errorf("%s: there is no boot %q", r.name(), b)
			}
		}
	}
}
