package main

import (
	"regexp"
	"strings"
)

// What Python's unittest prints with -v:
//
//	test_access (test.test_os.AccessTests.test_access) ... ok
//	test_wait (test.test_os.WaitTests.test_wait)
//	The first line of its documentation. ... skipped 'why'
//
// Warnings and the output of children come at any place: the verdict may be at the
// end of a later line, or not on a line of its own. So the lists of failures at the
// end count, where there are any, and a test without a verdict in a run that came
// to its end passed.
var (
	pyBegin  = regexp.MustCompile(`(?:^|\s|\))(\w+) \(((?:test|__main__)[\w.<>]*)\)(?: ?\.\.\.|$)`)
	pyEnd    = regexp.MustCompile(`(?:^|\.\.\. |\s)(ok|FAIL|ERROR|skipped ['"].*|expected failure|unexpected success)$`)
	pyFailed = regexp.MustCompile(`^(FAIL|ERROR|UNEXPECTED SUCCESS): (\w+) \(((?:test|__main__)[\w.<>]*)\)`)
	pyRan    = regexp.MustCompile(`^Ran \d+ tests? in `)
	pyModule = regexp.MustCompile(`^(test_\w+) (skipped|failed|crashed|passed)\b`)
)

// parseUnittest reads the output of python3 -m test -v.
func parseUnittest(output string) outcomes {
	o := outcomes{}
	current := "" // test that has no verdict yet
	begun := map[string]bool{}
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case pyFailed.MatchString(line):
			m := pyFailed.FindStringSubmatch(line)
			o[pyName(m[2], m[3])] = pyOutcome(m[1])
			continue
		case pyRan.MatchString(line):
			for name := range begun {
				if o[name] == unfinished {
					o[name] = pass
				}
			}
			clear(begun)
			current = ""
			continue
		}
		if m := pyModule.FindStringSubmatch(line); m != nil && m[2] == "skipped" {
			o["(module "+m[1]+")"] = skip
		}
		if m := pyBegin.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "  ") {
			current = pyName(m[1], m[2])
			o[current] = unfinished
			begun[current] = true
		}
		if m := pyEnd.FindStringSubmatch(line); m != nil && current != "" {
			o[current] = pyOutcome(m[1])
			current = ""
		}
	}
	return o
}

// pyName is a test's identifier. Its last part repeats the method, but for
// setUpClass and tearDownClass.
func pyName(method, class string) string {
	if strings.HasSuffix(class, "."+method) {
		return class
	}
	return class + "." + method
}

func pyOutcome(word string) string {
	switch {
	case word == "ok" || word == "expected failure":
		return pass
	case strings.HasPrefix(word, "skipped"):
		return skip
	case word == "ERROR":
		return "error"
	}
	return fail
}

// onlyUnittest selects tests; -m takes patterns of identifiers.
func onlyUnittest(argv, names []string) []string {
	last := len(argv) - 1 // the module
	only := argv[:last:last]
	for _, name := range names {
		only = append(only, "-m", name)
	}
	return append(only, argv[last])
}
