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
	suite, test string // patterns of path.Match
}

// A row of the table in docs/limits.md: suite, test, why.
var limitRow = regexp.MustCompile("^\\| `([^`]+)` \\| `([^`]+)` \\| [^|]")

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
		for _, pattern := range m[1:] {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", file, pattern, err)
			}
		}
		limits = append(limits, limit{m[1], m[2]})
	}
	return limits, nil
}

// explains returns the limit that a difference is due to.
func explains(limits []limit, suite, test string) *limit {
	for i, l := range limits {
		s, _ := path.Match(l.suite, suite)
		t, _ := path.Match(l.test, test)
		if s && t {
			return &limits[i]
		}
	}
	return nil
}
