package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		native, adopted string // an outcome a letter
		want            verdict
	}{
		{"p", "p", same},
		{"f", "f", same},
		{"p", "f", different},
		{"f", "p", different}, // better is not the same
		{"ppp", "fpp", unsteady},
		{"ppp", "fpf", different},
		{"ppp", "ffp", different},
		{"pfp", "fpp", unsteady},
		{"pfp", "pfp", unsteady},
		{"fpp", "fff", unsteady},
		{"fpp", "hhh", different},
		{"fpp", "hpp", unsteady},
	} {
		h := history{strings.Split(c.native, ""), strings.Split(c.adopted, "")}
		if got := h.judge(); got != c.want {
			t.Errorf("natively %s, adopted %s: %d, want %d", c.native, c.adopted, got, c.want)
		}
	}
}

func TestTries(t *testing.T) {
	cases := map[string]*history{}
	add(cases, outcomes{"a": pass, "b": pass}, outcomes{"a": pass, "c": fail}, nil)
	names := differing(cases)
	if diff := cmp.Diff([]string{"b", "c"}, names); diff != "" {
		t.Errorf("differing (-want +got):\n%s", diff)
	}
	add(cases, outcomes{"a": fail, "b": pass}, outcomes{"b": pass}, names)
	want := map[string]*history{
		"a": {[]string{pass}, []string{pass}}, // was not asked for
		"b": {[]string{pass, pass}, []string{absent, pass}},
		"c": {[]string{absent, absent}, []string{fail, absent}},
	}
	if diff := cmp.Diff(want, cases); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const limitsText = "# Limits\n\nSome `text` | here.\n\n" +
	"| suite | test | why |\n|---|---|---|\n" +
	"| `cpython/*` | `test.test_os.*` | because |\n" +
	"| `go/net` | `TestX` | |\n"

const reportText = `| suite | tests | native passes | apkern passes | neither | differences | explained | unsteady | tries | visits | seconds | build |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
| cpython/test_os | 3 | 2 | 1 | 1 | 0 | 1 | 0 | 3 | 42 | 7 | 0123abcd |
| go/net | 1 | 1 | 0 | 0 | 1 | 0 | 1 | 3 | 0 | 0 |  |

Differences:

- go/net TestX: natively pass; apkern hung

Differences that are explained:

- cpython/test_os test.test_os.A.b: natively pass; apkern fail

Unsteady: natively too, or equal when repeated:

- go/net (exit): natively pass, exit 1; apkern exit 1, pass
`

func TestReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits.md")
	if err := os.WriteFile(file, []byte(limitsText), 0o644); err != nil {
		t.Fatal(err)
	}
	limits, err := readLimits(file)
	if err != nil {
		t.Fatal(err)
	}
	results := []result{
		{Suite: "cpython/test_os", Tries: 3, Visits: 42, Build: "0123abcdef", Seconds: 7, Cases: map[string]*history{
			"test.test_os.A.a": {[]string{pass}, []string{"pass"}},
			"test.test_os.A.b": {[]string{pass}, []string{fail}},
			"test.test_os.A.c": {[]string{skip}, []string{skip}},
			exitCase:           {[]string{pass}, []string{pass}},
		}},
		{Suite: "go/net", Tries: 3, Cases: map[string]*history{
			"TestX":  {[]string{pass}, []string{hung}}, // its row says no reason
			exitCase: {[]string{pass, "exit 1"}, []string{"exit 1", pass}},
		}},
	}
	var text strings.Builder
	writeReport(&text, results, limits)
	if diff := cmp.Diff(reportText, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := unexplained(results, limits); n != 1 {
		t.Errorf("%d unexplained, want 1", n)
	}
}

func TestChoose(t *testing.T) {
	all := []suite{{name: "go/os"}, {name: "go/os/exec"}, {name: "cpython/test_os"}}
	for name, want := range map[string]int{"go": 2, "go/os": 1, "go/os/exec": 1, "cpython": 1} {
		if got, err := choose(all, []string{name}); err != nil || len(got) != want {
			t.Errorf("%s: %d suites, %v; want %d", name, len(got), err, want)
		}
	}
	if _, err := choose(all, []string{"go/o"}); err == nil {
		t.Error("a suite that is not there was found")
	}
}

// TestTable looks for what a table can have wrong before a machine runs it.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range table {
		if seen[s.name] || s.limit == 0 || s.parse == nil || len(s.argv) == 0 {
			t.Errorf("suite %q is not whole, or there twice", s.name)
		}
		seen[s.name] = true
	}
}

func TestPlausible(t *testing.T) {
	some, none := outcomes{"TestX": fail, exitCase: pass}, outcomes{exitCase: "exit 127", kernelCase: pass}
	for _, c := range []struct {
		side     side
		try      int
		outcomes outcomes
		visits   int
		want     bool
	}{
		{native, 1, some, 0, true},
		{adopted, 1, some, 7, true},
		{native, 1, none, 0, false},
		{adopted, 1, none, 7, false},
		{native, 1, some, 1, false},
		{adopted, 1, some, 0, false},
		{adopted, 2, some, 0, true},
		{native, 2, some, 1, false},
		{adopted, 2, none, 1, true},
	} {
		g := guest{}
		if err := g.plausible(c.side, c.try, c.outcomes, c.visits); (err == nil) != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
