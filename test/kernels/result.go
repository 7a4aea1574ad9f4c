package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// result is what a row came to.
type result struct {
	row
	release               string
	passed, failed, skips int      // tests without subtests
	failures              []string // names; boots that ended early have one too
}

var testLine = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)
var bootLine = regexp.MustCompile(`(?m)^run-vm\.sh: failed:(.*)$`)

// count reads a row's outcome from what test/run-vm.sh wrote. A test with
// subtests is not counted besides them.
func (r *result) count(output string) {
	verdicts := map[string]string{}
	var names []string
	for _, m := range testLine.FindAllStringSubmatch(output, -1) {
		if _, ok := verdicts[m[2]]; !ok {
			names = append(names, m[2])
		}
		if verdicts[m[2]] != "FAIL" { // a test may be in several boots
			verdicts[m[2]] = m[1]
		}
	}
	for _, name := range names {
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name+"/") }) {
			continue
		}
		switch verdicts[name] {
		case "PASS":
			r.passed++
		case "SKIP":
			r.skips++
		default:
			r.failed++
			r.failures = append(r.failures, name)
		}
	}
	// A boot that broke off has no line for the test it was in.
	if m := bootLine.FindStringSubmatch(output); m != nil && r.failed == 0 {
		r.failed++
		r.failures = append(r.failures, "boot"+m[1])
	}
}

// write prints the results as a table of Markdown.
func write(w io.Writer, results []result) {
	fmt.Fprintln(w, "| kernel | release | variant | tests | passed | failed | skipped |")
	fmt.Fprintln(w, "|---|---|---|--:|--:|--:|--:|")
	for _, r := range results {
		variant := r.variant
		if variant == "" {
			variant = "as it comes, 4 CPUs"
		}
		if r.absent != "" {
			fmt.Fprintf(w, "| %s | | %s | not run: %s | | | |\n", r.kernel, variant, r.absent)
			continue
		}
		failed := fmt.Sprint(r.failed)
		if r.failed > 0 {
			failed += ": " + strings.Join(r.failures, ", ")
		}
		fmt.Fprintf(w, "| %s | %s | %s | %d | %d | %s | %d |\n", r.kernel, r.release, variant,
			r.passed+r.failed+r.skips, r.passed, failed, r.skips)
	}
}
