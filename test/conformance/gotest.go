package main

import (
	"regexp"
	"slices"
	"strings"
)

// A verdict may follow what a test printed without ending its line.
var (
	goBegin = regexp.MustCompile(`^=== RUN\s+(\S+)`)
	goEnd   = regexp.MustCompile(`--- (PASS|FAIL|SKIP): (\S+) \([0-9.]+s\)`)
)

// parseGo reads the output of a Go test with -test.v.
func parseGo(output string) outcomes {
	o := outcomes{}
	for line := range strings.Lines(output) {
		if m := goBegin.FindStringSubmatch(line); m != nil {
			o[m[1]] = unfinished
		}
		for _, m := range goEnd.FindAllStringSubmatch(line, -1) {
			o[m[2]] = strings.ToLower(m[1])
		}
	}
	return o
}

// onlyGo selects tests, with all their subtests.
func onlyGo(argv, names []string) []string {
	var tests []string
	for _, name := range names {
		test, _, _ := strings.Cut(name, "/")
		tests = append(tests, regexp.QuoteMeta(test))
	}
	slices.Sort(tests)
	return append(argv[:len(argv):len(argv)], "-test.run=^("+strings.Join(slices.Compact(tests), "|")+")$")
}
