package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"apkern/internal/bench"
	"apkern/internal/bench/benchfake"
	"apkern/internal/bench/runner"
)

// carry carries out a plan and returns what it emitted.
func carry(t *testing.T, m *benchfake.Machine, count int, names ...string) []bench.Record {
	t.Helper()
	list, err := bench.Select(bench.All(3), names)
	if err != nil {
		t.Fatal(err)
	}
	var records []bench.Record
	err = runner.Carry(t.Context(), m, &bench.Plan{Benchmarks: list, Count: count}, func(r bench.Record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// errs counts the runs by their error.
func errs(records []bench.Record) map[string]int {
	count := map[string]int{}
	for _, r := range records {
		if r.Run != nil {
			count[r.Run.Error]++
		}
	}
	return count
}

// Pairs stand together, each benchmark has one a round, and each side begins as often.
func TestSchedule(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := bench.All(3)
		names := rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 1, 6, func(i int) int { return i })
		var list []bench.Benchmark
		for _, i := range names.Draw(rt, "benchmarks") {
			list = append(list, all[i])
		}
		count := rapid.IntRange(1, 8).Draw(rt, "count")
		var runs []bench.Run
		m := &benchfake.Machine{Ran: func(r *bench.Run) { runs = append(runs, *r) }}
		if err := runner.Carry(context.Background(), m, &bench.Plan{Benchmarks: list, Count: count}, func(bench.Record) error { return nil }); err != nil {
			rt.Fatal(err)
		}
		if len(runs) != 2*count*len(list) {
			rt.Fatalf("%d runs", len(runs))
		}
		begun := map[string]int{}
		for i := 0; i < len(runs); i += 2 {
			a, b := runs[i], runs[i+1]
			round, nth := i/2/len(list), i/2%len(list)
			if a.Benchmark != list[nth].Name || b.Benchmark != a.Benchmark || a.Pair != round || b.Pair != round || a.Side == b.Side || !a.First || b.First {
				rt.Fatalf("run %d: %+v %+v", i, a, b)
			}
			if a.Side == bench.Native {
				begun[a.Benchmark]++
			}
		}
		for name, n := range begun {
			if n != count/2 && n != count-count/2 {
				rt.Fatalf("%s: natively first in %d of %d", name, n, count)
			}
		}
	})
}

func TestGoodRuns(t *testing.T) {
	records := carry(t, &benchfake.Machine{}, 2, "call")
	if records[0].Environment == nil {
		t.Errorf("begins with %+v", records[0])
	}
	if got := errs(records); len(got) != 1 || got[""] != 2*2*6 {
		t.Errorf("errors %v", got)
	}
}

func TestSkips(t *testing.T) {
	records := carry(t, &benchfake.Machine{Missing: []string{"gcc"}}, 1, "program")
	if s := records[1].Skip; s == nil || *s != (bench.Skip{Benchmark: "Gcc", Reason: "gcc is not installed"}) {
		t.Errorf("%+v", records[1])
	}
	if got := errs(records); got[""] != 4 {
		t.Errorf("errors %v", got)
	}
}

func TestRunsThatCountForNothing(t *testing.T) {
	for _, c := range []struct {
		machine benchfake.Machine
		name    string
		want    string
		runs    int
	}{
		{benchfake.Machine{Misplaced: "Getpid"}, "Getpid", "the adopted run made no visit", 3},
		{benchfake.Machine{Misplaced: "Getppid/policy=on"}, "Getppid/policy=on", "no thread of the adopted run was adopted", 3},
		{benchfake.Machine{Failing: "Getpid"}, "Getpid", "exit status 1: wrong answer", 6},
		{benchfake.Machine{Wrong: "Getpid"}, "Getpid", "its result is different, the first run's was same", 3},
	} {
		got := errs(carry(t, &c.machine, 3, c.name))
		if got[c.want] != c.runs || got[""] != 6-c.runs {
			t.Errorf("%s: %v, want %d of %q", c.name, got, c.runs, c.want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	n := 0
	m := &benchfake.Machine{Ran: func(*bench.Run) {
		if n++; n == 6 {
			cancel(cause)
		}
	}}
	kept := 0
	err := runner.Carry(ctx, m, &bench.Plan{Benchmarks: bench.All(3), Count: 5}, func(r bench.Record) error {
		if r.Run != nil {
			kept++
		}
		return nil
	})
	if !errors.Is(err, cause) || kept != 5 {
		t.Errorf("%v; %d runs kept", err, kept)
	}
}

// serve is a stream's far end with a fake machine.
func serve(t *testing.T, m *benchfake.Machine, plan any) (string, error) {
	t.Helper()
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = runner.Serve(t.Context(), bytes.NewReader(data), &out, func(*bench.Plan) (runner.Machine, error) { return m, nil })
	return out.String(), err
}

func TestStream(t *testing.T) {
	m := &benchfake.Machine{}
	out, err := serve(t, m, bench.Plan{Benchmarks: bench.All(3)[:2], Count: 3, Limit: time.Second})
	if err != nil || m.Closed != 1 {
		t.Fatalf("%v; closed %d times", err, m.Closed)
	}
	var runs int
	count := func(r bench.Record) error {
		if r.Run != nil {
			runs++
		}
		return nil
	}
	// Cut anywhere, the whole lines count.
	if err := runner.Receive(strings.NewReader(out[:len(out)-3]), count); err != nil || runs != 11 {
		t.Errorf("%v, %d runs", err, runs)
	}
	if err := runner.Receive(strings.NewReader("{\n"), count); err == nil {
		t.Error("a line that is no record was taken")
	}
	full := errors.New("disk full")
	if err := runner.Receive(strings.NewReader(out), func(bench.Record) error { return full }); err != full {
		t.Errorf("got %v", err)
	}
	broken := fmt.Errorf("broken")
	if err := runner.Receive(io.MultiReader(strings.NewReader(out), failing{broken}), count); err != broken {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestStreamErrors(t *testing.T) {
	out, err := serve(t, &benchfake.Machine{Unloaded: true}, bench.Plan{Benchmarks: bench.All(3)[:1], Count: 1})
	if err == nil {
		t.Error("no error without a module")
	}
	if err := runner.Receive(strings.NewReader(out), nil); err == nil || err.Error() != "the module is not loaded" {
		t.Errorf("the near end got %v", err)
	}
	if _, err := serve(t, &benchfake.Machine{}, "no plan"); err == nil {
		t.Error("a plan that is none was taken")
	}
}
