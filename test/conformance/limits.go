package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
)

// limit is a difference that the documents explain.
type limit struct {
	suite, test string // patterns of path.Match; what explains a test explains its subtests
}

// A row of the table in docs/limits.md: suite, tests, why.
var (
	limitRow  = regexp.MustCompile("^\\| `([^`]+)` \\| (`[^`|]+`(?:, `[^`|]+`)*) \\| [^|]")
	limitTest = regexp.MustCompile("`([^`]+)`")
)

// readLimits reads the explained differences where their explanations are.
func readLimits(file string) ([]limit, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var limits []limit
	for line := range strings.Lines(string(text)) {
		m := limitRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, test := range limitTest.FindAllStringSubmatch(m[2], -1) {
			limits = append(limits, limit{m[1], test[1]})
		}
	}
	for _, l := range limits {
		for _, pattern := range []string{l.suite, l.test} {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", file, pattern, err)
			}
		}
	}
	return limits, nil
}

// explains returns the limit that a difference is due to.
func explains(limits []limit, suite, test string) *limit {
	for i, l := range limits {
		if s, _ := path.Match(l.suite, suite); s && matchesTest(l.test, test) {
			return &limits[i]
		}
	}
	return nil
}

// matchesTest matches a test, or one of those that it is a subtest of.
func matchesTest(pattern, test string) bool {
	for i := range test {
		if test[i] != '/' {
			continue
		}
		if ok, _ := path.Match(pattern, test[:i]); ok {
			return true
		}
	}
	ok, _ := path.Match(pattern, test)
	return ok
}
