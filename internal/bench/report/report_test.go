package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apkern/internal/bench"
	"apkern/internal/bench/benchfake"
	"apkern/internal/bench/runner"
	"apkern/internal/bench/stat"
	"apkern/internal/bench/store"
)

var update = flag.Bool("update", false, "write the files in testdata instead of comparing with them")

// fake is the report of a plan that a fake machine carried out.
func fake(t *testing.T, m *benchfake.Machine, count int, names ...string) *Report {
	t.Helper()
	list, err := bench.Select(bench.All(3), names)
	if err != nil {
		t.Fatal(err)
	}
	plan := &bench.Plan{
		Benchmarks: list, Count: count, Version: "0.0", HostCPUs: 2, Place: "vm", Begun: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	s := &store.Samples{File: "dir/samples.jsonl", Plan: *plan}
	err = runner.Carry(t.Context(), m, plan, func(r bench.Record) error {
		s.Add(r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return New(s)
}

// golden compares what write writes with a file.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

func TestTable(t *testing.T) {
	golden(t, "table.txt", fake(t, &benchfake.Machine{Missing: []string{"gcc"}, Misplaced: "Getcpu", Failing: "Find"}, 7).WriteTable)
	golden(t, "few.txt", fake(t, &benchfake.Machine{}, 2, "call").WriteTable)
	golden(t, "markdown.md", fake(t, &benchfake.Machine{}, 6, "Getpid", "compute").WriteMarkdown)
}

func TestChanges(t *testing.T) {
	from := fake(t, &benchfake.Machine{}, 8, "call", "sync")
	to := fake(t, &benchfake.Machine{Slower: 1.5}, 8, "call", "Gzip")
	golden(t, "changes.txt", func(w io.Writer) error { return WriteChanges(w, from, to) })
}

func TestJSON(t *testing.T) {
	r := fake(t, &benchfake.Machine{Missing: []string{"gcc"}}, 2, "Getpid", "Gcc")
	golden(t, "report.json", r.WriteJSON)
}

// The JSON of anything at all is JSON, with as many runs as were made.
func TestJSONHasAllRuns(t *testing.T) {
	r := fake(t, &benchfake.Machine{Failing: "Getpid", Missing: []string{"gcc"}}, 3)
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Runs    []bench.Run
		Results []struct{ Pairs []stat.Pair }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r.Samples.Runs, got.Runs); d != "" {
		t.Errorf("runs (-want +got):\n%s", d)
	}
}

// page writes a page and checks that it is whole: that every tag is closed, and that
// it needs no other file.
func page(t *testing.T, r *Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.WritePage(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	d := xml.NewDecoder(strings.NewReader(text))
	d.AutoClose, d.Entity = []string{"meta"}, xml.HTMLEntity
	d.Strict = false
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == "src" || a.Name.Local == "href" || start.Name.Local == "script" {
				t.Errorf("<%s %s=%q>", start.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	return text
}

func TestPage(t *testing.T) {
	r := fake(t, &benchfake.Machine{Missing: []string{"gcc"}, Misplaced: "Getcpu"}, 7)
	text := page(t, r)
	if n := strings.Count(text, "<svg"); n != 4 {
		t.Errorf("%d plots", n)
	}
	for _, want := range []string{
		"6.1.0-fake", "QEMU TCG", "Fake CPU", "2026-01-02 03:04:05 UTC", "application kernel 01234567", // the environment
		"301 good runs of 308 in dir/samples.jsonl", "(147 pairs of dir/samples.jsonl)", // where figures are from
		"(35 pairs of", "(21 pairs of", "(7 pairs of",
		">Getppid/policy=off</code>", ">Startup/ls<", ">ideal<", ">native: 140 in 7 runs<", ">adopted: 105 in 7 runs<",
		"Gcc was skipped: gcc is not installed", "Getcpu: 7 runs count for nothing; the first: adopted: the adopted run made no visit",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var again bytes.Buffer
	if err := r.WritePage(&again); err != nil || again.String() != text {
		t.Errorf("written again, it is another: %v", err)
	}
}

// Whatever is missing, there is a page.
func TestPageOfLittle(t *testing.T) {
	for _, c := range []struct {
		report *Report
		plots  int
	}{
		{fake(t, &benchfake.Machine{}, 1, "Gzip"), 1},
		{fake(t, &benchfake.Machine{Failing: "Gzip"}, 1, "Gzip"), 0},
		{fake(t, &benchfake.Machine{Missing: []string{"gcc"}}, 1, "Gcc"), 0},
		{fake(t, &benchfake.Machine{}, 2, "call"), 2},
		{fake(t, &benchfake.Machine{}, 2, "noise"), 2},
		{fake(t, &benchfake.Machine{}, 2, "Compute/threads=1"), 2},
	} {
		if n := strings.Count(page(t, c.report), "<svg"); n != c.plots {
			t.Errorf("%s: %d plots", c.report.Results[0].Benchmark.Name, n)
		}
	}
}

func TestPageEscapes(t *testing.T) {
	r := fake(t, &benchfake.Machine{}, 1, "Gzip")
	r.Samples.Environment.CPU = `<script>alert("x")</script>`
	if strings.Contains(page(t, r), "<script") {
		t.Error("what a machine calls itself became part of the page")
	}
}

func TestFormat(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0 ns", 0.5: "0.50 ns", 1: "1.00 ns", 9.994: "9.99 ns", 9.996: "10.0 ns", 99.96: "100 ns", 999.4: "999 ns", 999.6: "1.00 µs",
		1234: "1.23 µs", 999.6e3: "1.00 ms", 12.34e6: "12.3 ms", 3.21e9: "3.21 s", 5e12: "5000 s",
	} {
		if got := duration(ns); got != want {
			t.Errorf("%v ns: %q, want %q", ns, got, want)
		}
	}
	inf := stat.Number(math.Inf(1))
	for _, c := range []struct {
		i    stat.Interval
		want string
	}{
		{stat.Interval{Center: 2, Lo: 1, Hi: 3}, "1.00 to 3.00"},
		{stat.Interval{Center: 2, Lo: -inf, Hi: inf}, "-"},
		{stat.Interval{Center: 2, Lo: 1, Hi: inf}, "-"},
	} {
		if got := bounds(c.i); got != c.want {
			t.Errorf("%+v: %q", c.i, got)
		}
	}
}

func TestHistogram(t *testing.T) {
	bins := histogram([]float64{1, 4000, 5000, 6000, 1e12}, 2)
	if len(bins) != binCount+1 || bins[0].Y != 1.5 || bins[1].Y != 0.5 || bins[binCount-1].Y != 0.5 || bins[binCount].Y != 0 {
		t.Errorf("%v", bins)
	}
}
