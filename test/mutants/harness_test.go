package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeLab says how the guards of a made-up table end.
type fakeLab struct {
	verdicts map[string]verdict // of a mutant's module, by its name
	errs     map[string]error   // of a step, by "step name"
	steps    []string
}

func (l *fakeLab) step(what, name string) error {
	s := what + " " + name
	l.steps = append(l.steps, s)
	return l.errs[s]
}

func (l *fakeLab) mutate(m mutant) (func() error, error) {
	return func() error { return l.step("restore", m.name) }, l.step("mutate", m.name)
}

func (l *fakeLab) build(m mutant) (string, error) { return m.name, l.step("build", m.name) }

func (l *fakeLab) original(mutant) string { return "original" }

func (l *fakeLab) guard(m mutant, module string) (verdict, error) {
	return l.verdicts[module], l.step("guard "+m.guard, module)
}

func try(l *fakeLab, names ...string) (string, error) {
	var mutants []mutant
	for _, n := range names {
		mutants = append(mutants, mutant{name: n, guard: "Test"})
	}
	var out bytes.Buffer
	h := harness{lab: l, out: &out, log: io.Discard, stopped: func() bool { return false }}
	err := h.run(mutants)
	return out.String(), err
}

func TestAllCaught(t *testing.T) {
	l := &fakeLab{verdicts: map[string]verdict{"a": failed, "b": broke}}
	out, err := try(l, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"guard Test original", // once for both
		"mutate a", "build a", "guard Test a", "restore a",
		"mutate b", "build b", "guard Test b", "restore b"}
	if diff := cmp.Diff(want, l.steps); diff != "" {
		t.Error(diff)
	}
	if !regexp.MustCompile(`(?m)^a +Test +yes$`).MatchString(out) || !strings.Contains(out, "the VM broke") {
		t.Errorf("the table is\n%s", out)
	}
}

func TestSurvivor(t *testing.T) {
	l := &fakeLab{verdicts: map[string]verdict{"a": failed, "b": passed, "c": failed}}
	out, err := try(l, "a", "b", "c")
	var s *survivors
	if !errors.As(err, &s) || !slices.Equal(s.names, []string{"b"}) {
		t.Errorf("error %v, want survivor b", err)
	}
	if !regexp.MustCompile(`(?m)^b +Test +NO$`).MatchString(out) || !strings.Contains(out, "\nc ") {
		t.Errorf("the table is\n%s", out)
	}
}

func TestStepsThatFail(t *testing.T) {
	oops := errors.New("oops")
	for _, step := range []string{"guard Test original", "mutate a", "build a", "guard Test a", "restore a"} {
		l := &fakeLab{verdicts: map[string]verdict{"a": failed}, errs: map[string]error{step: oops}}
		_, err := try(l, "a")
		var s *survivors
		if !errors.Is(err, oops) || errors.As(err, &s) {
			t.Errorf("%s: got %v", step, err)
		}
		if slices.Contains(l.steps, "build a") && !slices.Contains(l.steps, "restore a") {
			t.Errorf("%s: the tree is left changed: %v", step, l.steps)
		}
	}
}

func TestGuardMustPassFirst(t *testing.T) {
	for _, v := range []verdict{failed, broke} {
		l := &fakeLab{verdicts: map[string]verdict{"original": v, "a": failed}}
		if _, err := try(l, "a"); err == nil || !strings.Contains(err.Error(), "cannot tell anything") {
			t.Errorf("got %v", err)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		status int
		output string
		want   verdict
		ran    bool
	}{
		{0, "=== RUN   TestA/x\n    --- PASS: TestA/x (1.0s)\n", passed, true},
		{1, "=== RUN   TestA/x\n    --- FAIL: TestA/x (1.0s)\n", failed, true},
		{125, "=== RUN   TestA/x\nout of time", broke, true},
		{0, "testing: warning: no tests to run\n", passed, false},
		{0, "--- PASS: TestA/xy (1.0s)\n", passed, false},
		{0, "--- SKIP: TestA/x (0.0s)\n", passed, false},
		{125, "apkern: no such kernel\n", passed, false},
		{1, "guest: these tests need a VM\n", passed, false},
		{126, "--- FAIL: TestA/x (1.0s)\n", passed, false},
	} {
		v, err := judge("TestA/x", c.status, []byte(c.output))
		if v != c.want || (err == nil) != c.ran {
			t.Errorf("status %d, %q: %v, %v", c.status, c.output, v, err)
		}
	}
}

func TestReported(t *testing.T) {
	for output, want := range map[string]bool{
		"--- PASS: TestA (1.0s)\nPASS\nwatched: REPORT (KASAN):\nBUG": true,
		"PASS\nwatched: LEAKS:\nunreferenced object":                  true,
		"PASS\nwatched: nothing to report in 12 lines\n":              false,
	} {
		if reported([]byte(output)) != want {
			t.Errorf("%q: %t", output, !want)
		}
	}
}

func TestPattern(t *testing.T) {
	if got := pattern("TestA/b c/d"); got != "^TestA$/^b c$/^d$" {
		t.Errorf("got %q", got)
	}
}

func TestChoose(t *testing.T) {
	debug := 0
	for _, m := range table {
		if m.debug {
			debug++
		}
	}
	if got, err := choose(table, nil); err != nil || debug == 0 || len(got) != len(table)-debug {
		t.Errorf("%d mutants of %d, %v", len(got), len(table), err)
	}
	if got, err := choose(table, []string{"record-leaked"}); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := choose(table, []string{"no-recall"}); err != nil || len(got) != 1 || got[0].name != "no-recall" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := choose(table, []string{"none"}); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("got %v", err)
	}
}

// TestTable applies every mutant to this tree, so that a change that moves the
// text under a mutant is noticed at once, and looks for its guard.
func TestTable(t *testing.T) {
	var tests strings.Builder
	files, err := filepath.Glob("../guest/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	seen := map[string]bool{}
	for _, m := range table {
		if seen[m.name] || m.name == "" || m.breaks == "" || len(m.edits) == 0 {
			t.Errorf("%q: the entry is not complete, or its name not unique", m.name)
		}
		seen[m.name] = true
		top, _, _ := strings.Cut(m.guard, "/")
		if !strings.Contains(tests.String(), "func "+top+"(t *testing.T)") {
			t.Errorf("%s: there is no test %s", m.name, top)
		}
		for _, e := range m.edits {
			b, err := os.ReadFile(filepath.Join("../..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if changed, err := e.apply(string(b)); err != nil || changed == string(b) {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
}
