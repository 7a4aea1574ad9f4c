package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
	"apkern/test/evaluation/job"
)

// sample writes what a machine came to.
func sample(t *testing.T, dir string, k key, complete bool, runs ...bench.Run) {
	t.Helper()
	j := job.Job{System: k.system, CPUs: k.cpus}
	machine := filepath.Join(dir, j.Name())
	w, err := store.Create(machine)
	if err != nil {
		t.Fatal(err)
	}
	records := []bench.Record{{Plan: &bench.Plan{Benchmarks: job.Benchmarks()}},
		{Environment: &bench.Environment{Kernel: "6.1", Build: "0123456789"}}}
	for i := range runs {
		records = append(records, bench.Record{Run: &runs[i]})
	}
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if complete {
		if err := os.WriteFile(filepath.Join(machine, keyFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func whole8(benchmark string, cycles float64, result string) bench.Run {
	return bench.Run{Benchmark: benchmark, Ops: 1, Result: result,
		Values: map[string]float64{job.UnitWhole: cycles, job.UnitParallel: cycles / 2}}
}

func samples(t *testing.T) *figures {
	t.Helper()
	dir := t.TempDir()
	callRun := func(name string, cycles float64) bench.Run {
		return bench.Run{Benchmark: name, Values: map[string]float64{job.UnitCall: cycles, job.UnitMean: cycles + 1}}
	}
	sample(t, dir, key{job.Uniprocessor, 1}, true, whole8("LU", 800, "x"), whole8(job.Find, 90, "y"), callRun("Getpid", 100))
	sample(t, dir, key{job.SMP, 4}, true, whole8("LU", 200, "x"), whole8(job.Find, 100, "z"))
	sample(t, dir, key{job.Apkern, 4}, true, whole8("LU", 320, "x"), callRun("Getpid", 50), callRun("Getpid/answer=none", 1234),
		bench.Run{Benchmark: job.Mix, Error: "it hung"})
	sample(t, dir, key{job.Apkern, 8}, false, whole8("LU", 1, "x"))
	f, err := readFigures(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFigures(t *testing.T) {
	f := samples(t)
	if got := f.speedUp(key{job.Apkern, 4}, "LU", job.UnitWhole); got != 2.5 {
		t.Errorf("speed-up %v", got)
	}
	if got := f.speedUp(key{job.Apkern, 8}, "LU", job.UnitWhole); got != 0 {
		t.Errorf("a machine that was not done counts: %v", got)
	}
	if got := strings.Join(f.faults(), "\n"); got != "smp-4: Find came to z, elsewhere to y\napkern-4: Mix: it hung" {
		t.Errorf("faults %s", got)
	}
}

func TestMarkdown(t *testing.T) {
	var out strings.Builder
	if err := writeMarkdown(&out, samples(t).tables(), "##"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| getpid, original, simulator | 74 | 860 | 11.62 | - | - | - | - |",
		"| getpid, 4 CPUs | 100 | 1234 | 12.34 | 50 | 0.50 | - | - |",
		"## LU\n", "| 4 | 3.51 | 2.99 | 4.00 | 2.50 |",
		"| find | 4 | 0.98 | 0.86 | 0.90 | - |",
		"| apkern-4 | LU | 320 | 160 | 0 | - |",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in %s", line, out.String())
		}
	}
}

func TestPage(t *testing.T) {
	dir := t.TempDir()
	if err := samples(t).write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "here: apkern", "application kernel 01234567.", "apkern-4: Mix: it hung", "<td>2.50</td>", "border-collapse"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestDocument(t *testing.T) {
	f := samples(t)
	file := filepath.Join(t.TempDir(), "document.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if err := f.document(file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	if !strings.HasPrefix(s, "before\n"+beginMark) || !strings.HasSuffix(s, endMark+"after\n") || strings.Contains(s, "old") || strings.Count(s, "### LU") != 1 {
		t.Errorf("the document is %s", s)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.document(file); err == nil {
		t.Error("a document without marks was accepted")
	}
}
