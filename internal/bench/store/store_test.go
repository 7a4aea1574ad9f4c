package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
)

// records are one of each kind.
func records() []bench.Record {
	return []bench.Record{
		{Plan: &bench.Plan{
			Benchmarks: bench.All(2), Count: 2, Programs: "/p", Limit: time.Minute, Version: "1.2",
			Begun: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), HostCPUs: 2, Place: "vm",
		}},
		{Environment: &bench.Environment{
			Kernel: "6.1", Home: []int{0}, Application: []int{1, 2}, APICs: []uint64{1, 2}, CPU: "A CPU", Hypervisor: "KVMKVMKVM", Build: "abc",
		}},
		{Skip: &bench.Skip{Benchmark: "Gcc", Reason: "gcc is not installed"}},
		{Run: &bench.Run{
			Benchmark: "Getpid", Side: bench.Native, First: true, Ops: 2000, Values: map[string]float64{"ns/op": 123.456789012345},
			Seen: map[uint64]int64{0: 20}, Result: "00ff",
		}},
		{Run: &bench.Run{Benchmark: "Getpid", Side: bench.Adopted, Error: "not away"}},
		{Run: &bench.Run{
			Benchmark: "Interruptions", Side: bench.Adopted, Pair: 1, Ops: 1, Gaps: []float64{5001, 70000},
			Values: map[string]float64{"lost-ns/s": 75001, "gaps/s": 2}, Seen: map[uint64]int64{2: 4},
		}},
	}
}

// written is a directory with all records.
func written(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new", "dir")
	w, err := store.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records() {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRoundTrip(t *testing.T) {
	dir := written(t)
	got, err := store.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &store.Samples{File: filepath.Join(dir, store.SamplesFile)}
	for _, r := range records() {
		want.Add(r)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// What an interruption cut off counts for nothing; the rest does.
func TestCutOff(t *testing.T) {
	dir := written(t)
	file := filepath.Join(dir, store.SamplesFile)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.Count(data, []byte("\n"))
	if err := os.WriteFile(file, data[:len(data)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Read(dir); err != nil || len(s.Runs) != 2 || whole != 6 {
		t.Errorf("%v: %+v", err, s)
	}
}

func TestRefuses(t *testing.T) {
	dir := written(t)
	if _, err := store.Create(dir); err == nil || err.Error() != dir+" has samples already: name another directory with -o" {
		t.Errorf("a second time: %v", err)
	}
	file := filepath.Join(dir, store.SamplesFile)
	for text, want := range map[string]string{
		"":               file + " does not begin with a plan",
		"{}\nnonsense\n": file + ":2: not a record",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Read(dir); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	empty := t.TempDir()
	if _, err := store.Read(empty); err == nil || !strings.HasPrefix(err.Error(), empty+" has no samples.jsonl: ") {
		t.Errorf("empty: %v", err)
	}
}

// The good runs are there for Go's tools, with the environment and the sides apart.
func TestGoFormat(t *testing.T) {
	f, err := os.Open(filepath.Join(written(t), store.GoFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := benchfmt.NewReader(f, store.GoFile)
	var names []string
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			names = append(names, rec.Name.String())
			if got := rec.GetConfig("emulator") + rec.GetConfig("kernel") + rec.GetConfig("apkern-build"); got != "KVM6.1abc" {
				t.Errorf("environment %q", got)
			}
			if v, ok := rec.Value("sec/op"); rec.Name.String() == "Getpid/side=native" && (!ok || v < 123.456789e-9 || v > 123.45679e-9) {
				t.Errorf("value %v", v)
			}
		case *benchfmt.SyntaxError:
			t.Error(rec)
		}
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"Getpid/side=native", "Interruptions/side=adopted"}, names); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if better := r.Units().GetBetter("lost-ns/s"); better != -1 {
		t.Errorf("less interruption is not better: %d", better)
	}
}
