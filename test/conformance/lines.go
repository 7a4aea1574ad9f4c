package main

import "strings"

// Lines of `conformance each` and of the scripts in programs/: a test begins, and
// what it came to. Names have no blanks.
const (
	beginMark = "## begin "
	endMark   = "## end "
)

// parseLines reads such lines among whatever else was printed.
func parseLines(output string) outcomes {
	o := outcomes{}
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, beginMark); ok {
			o[name] = unfinished
		}
		if rest, ok := strings.CutPrefix(line, endMark); ok {
			name, outcome, _ := strings.Cut(rest, " ")
			o[name] = outcome
		}
	}
	return o
}

// onlyNames selects tests of `conformance each`.
func onlyNames(argv, names []string) []string { return append(argv[:len(argv):len(argv)], names...) }
