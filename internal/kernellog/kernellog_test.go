package kernellog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// read returns the texts of a log of testdata.
func read(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return Texts(string(b))
}

// TestFind: each kind of report is recognised and is whole; what follows it is not.
func TestFind(t *testing.T) {
	// How many lines each report of the file has.
	type found struct {
		kind  string
		lines int
	}
	for name, want := range map[string][]found{
		"kasan.log":        {{"KASAN", 20}},
		"circular.log":     {{"lock", 20}},
		"inconsistent.log": {{"lock", 15}},
		"rcu.log":          {{"lock", 9}},
		"sleeping.log":     {{"context", 7}},
		"context.log":      {{"lock", 11}},
		"preemptible.log":  {{"context", 6}},
		"odebug.log":       {{"debug objects", 9}},
		"warning.log":      {{"warning", 7}, {"reference count", 4}},
		"oops.log":         {{"oops", 7}, {"oops", 2}, {"list", 5}},
		"others.log": {{"leak", 1}, {"stall", 5}, {"stall", 2}, {"stall", 2}, {"memory", 2}, {"slab", 2}, {"memory", 2},
			{"lock", 2}, {"lock", 2}, {"context", 2}, {"lock", 2}, {"UBSAN", 2}, {"panic", 2}},
		"quiet.log": nil,
	} {
		t.Run(name, func(t *testing.T) {
			lines := read(t, name)
			var got []found
			for _, r := range Find(lines) {
				got = append(got, found{r.Kind, len(r.Lines)})
				if !Complaint(r.Title()) {
					t.Errorf("title %q", r.Title())
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("found %v, not %v", got, want)
			}
		})
	}
}

// TestFindWhole: nothing but the reports is left out when all logs follow each other.
func TestFindWhole(t *testing.T) {
	var all []string
	names, err := filepath.Glob("testdata/*.log")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	want := 0
	for _, name := range names {
		lines := read(t, filepath.Base(name))
		want += len(Find(lines))
		all = append(all, lines...)
	}
	if got := len(Find(all)); got != want {
		t.Errorf("%d reports, not %d", got, want)
	}
}

// TestFindCut: a report whose end is missing does not swallow everything.
func TestFindCut(t *testing.T) {
	lines := []string{"BUG: sleeping function called from invalid context at mm/slab.h:1"}
	lines = append(lines, slices.Repeat([]string{"something"}, 2*longest)...)
	lines = append(lines, "BUG: KASAN: use-after-free in x")
	got := Find(lines)
	if len(got) != 2 || len(got[0].Lines) != longest {
		t.Errorf("%d reports, the first of %d lines", len(got), len(got[0].Lines))
	}
}

func TestCPUFailure(t *testing.T) {
	var n int
	for _, line := range read(t, "quiet.log") {
		if CPUFailure(line) {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d lines of failures, not 2", n)
	}
}

func TestTexts(t *testing.T) {
	got := Texts("<6>[    1.000001] one\n[12345.000001][  T312] two\r\n three: [1.5]\n[    1.1]  <TASK>\n")
	want := []string{"one", "two", "three: [1.5]", " <TASK>"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestString(t *testing.T) {
	r := Report{"context", []string{"BUG: sleeping function", " </TASK>"}}
	if r.String() != strings.Join(r.Lines, "\n") {
		t.Errorf("%q", r.String())
	}
}
