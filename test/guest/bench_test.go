package guest

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
)

// apkernBench runs apkern bench and returns what it shows.
func apkernBench(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return run(t, native, command{
		argv: append([]string{"apkern", "bench"}, args...), stdin: stdin, dir: t.TempDir(), limit: 10 * time.Minute,
	})
}

// benchRuns runs benchmarks, each for so many pairs, and returns the samples. All must
// be good: right in their result, and where they should be.
func benchRuns(t *testing.T, count string, names ...string) *store.Samples {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "samples")
	o := apkernBench(t, "", append([]string{
		"run", "--on", "here", "--programs", filepath.Join(build, "bench"), "-n", count, "-o", dir}, names...)...)
	if o.Status != 0 {
		t.Fatalf("status %d\n%s%s", o.Status, o.Stdout, o.Stderr)
	}
	t.Log(o.Stdout)
	s, err := store.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBench: every benchmark runs on both sides and is where it should be, which
// apkern bench itself checks; what the policy was before is so again.
func TestBench(t *testing.T) {
	begin(t)
	for _, before := range []string{"0", "1"} {
		setParameter(t, "stay", before)
		s := benchRuns(t, "3", "Getppid")
		if len(s.Runs) != 12 || s.Plan.Place != "here" || s.Environment.Build == "" {
			t.Errorf("%d runs, plan %+v, environment %+v", len(s.Runs), s.Plan, s.Environment)
		}
		if after := readFile(t, moduleDir+"/parameters/stay"); after != map[string]string{"0": "N", "1": "Y"}[before] {
			t.Errorf("the parameter stay was %s and is %s", before, after)
		}
	}
	s := benchRuns(t, "1")
	measured := map[string]bool{}
	for _, r := range s.Runs {
		measured[r.Benchmark] = true
	}
	for _, skip := range s.Skips {
		measured[skip.Benchmark] = true
	}
	for _, b := range bench.All(len(cpuList(t, "cpus"))) {
		if !measured[b.Name] {
			t.Errorf("%s was not run", b.Name)
		}
	}
}

// TestBenchRefusesStrays: a run that was to be adopted and was not, or the other way
// round, is an error. Here nobody adopts the one benchmark, and the other is adopted even
// natively.
func TestBenchRefusesStrays(t *testing.T) {
	begin(t)
	plan, err := json.Marshal(bench.Plan{
		Benchmarks: []bench.Benchmark{
			{Name: "Homely", Unit: bench.UnitTime, Argv: []string{"compute", "1", "40"}},
			{Name: "Fugitive", Unit: bench.UnitTime, Argv: []string{"spawn", "1", "apkern", "run", "--", filepath.Join(build, "bench/compute"), "1", "40"}},
		},
		Count: 1, Programs: filepath.Join(build, "bench"), Limit: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := apkernBench(t, string(plan), "agent")
	if o.Status != 0 {
		t.Fatalf("status %d\n%s%s", o.Status, o.Stdout, o.Stderr)
	}
	errs := map[string]string{}
	for line := range strings.Lines(o.Stdout) {
		var r bench.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Run != nil {
			errs[r.Run.Benchmark+" "+string(r.Run.Side)] = r.Run.Error
		}
	}
	for run, want := range map[string]string{
		"Homely native": "", "Homely adopted": "the adopted run made no visit",
		"Fugitive adopted": "", "Fugitive native": "passes of the native run were on application CPUs",
	} {
		if got, made := errs[run]; !made || !strings.HasSuffix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", run, got, want)
		}
	}
}
