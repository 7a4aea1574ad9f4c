package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// counts are a row of the table.
type counts struct {
	tests, native, adopted     int // tests, and those that passed in the first try
	neither                    int // passed on neither side, skipped ones included
	different, known, unsteady []string
}

func (r result) count(limits []limit) counts {
	var c counts
	for name, h := range r.Cases {
		if !strings.HasPrefix(name, "(") { // of the suite's own
			n, a := passed(h.Native[0]), passed(h.Adopted[0])
			c.tests++
			c.native += number(n)
			c.adopted += number(a)
			c.neither += number(!n && !a)
		}
		line := fmt.Sprintf("%s: natively %s; apkern %s", name, strings.Join(h.Native, ", "), strings.Join(h.Adopted, ", "))
		switch h.judge() {
		case different:
			if l := explains(limits, r.Suite, name); l != nil {
				c.known = append(c.known, line)
			} else {
				c.different = append(c.different, line)
			}
		case unsteady:
			c.unsteady = append(c.unsteady, line)
		}
	}
	slices.Sort(c.different)
	slices.Sort(c.known)
	slices.Sort(c.unsteady)
	return c
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unexplained counts differences that no limit explains.
func unexplained(results []result, limits []limit) int {
	n := 0
	for _, r := range results {
		n += len(r.count(limits).different)
	}
	return n
}

// writeReport prints the results as a table of Markdown, and the lists behind it.
func writeReport(w io.Writer, results []result, limits []limit) {
	fmt.Fprintln(w, "| suite | tests | native passes | apkern passes | neither | differences | explained | unsteady | tries | visits | seconds | build |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|")
	for _, r := range results {
		c := r.count(limits)
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %.8s |\n", r.Suite, c.tests, c.native, c.adopted,
			c.neither, len(c.different), len(c.known), len(c.unsteady), r.Tries, r.Visits, r.Seconds, r.Build)
	}
	for _, list := range []struct {
		title string
		of    func(counts) []string
	}{
		{"Differences", func(c counts) []string { return c.different }},
		{"Differences that are explained", func(c counts) []string { return c.known }},
		{"Unsteady: natively too, or equal when repeated", func(c counts) []string { return c.unsteady }},
	} {
		fmt.Fprintf(w, "\n%s:\n\n", list.title)
		none := true
		for _, r := range results {
			for _, line := range list.of(r.count(limits)) {
				fmt.Fprintf(w, "- %s %s\n", r.Suite, line)
				none = false
			}
		}
		if none {
			fmt.Fprintln(w, "none")
		}
	}
}
