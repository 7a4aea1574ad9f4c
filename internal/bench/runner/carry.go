// Package runner carries out plans: it starts each program, reads what it prints and
// refuses runs that were not where they should be.
package runner

import (
	"context"
	"fmt"
	"iter"

	"apkern/internal/bench"
)

// Machine is what a plan is carried out on. This is the real one; package benchfake
// has one for tests.
type Machine interface {
	// Environment describes the machine. An error means that nothing can be run.
	Environment() (bench.Environment, error)
	// Installed says whether a program is there.
	Installed(program string) bool
	// Run runs a benchmark's command for the side of r, which it does not change.
	Run(ctx context.Context, b *bench.Benchmark, r *bench.Run) (Output, error)
	// Close undoes what the others changed.
	Close() error
}

// Output is what a run left behind.
type Output struct {
	Text  string // what the program printed
	Files string // a word for the contents of the files that it wrote, "" for none
	// Visits to application CPUs that began meanwhile. Nobody else is adopted.
	Visits  int64
	Threads int64 // adopted meanwhile
}

// Carry carries out a plan, and emits what comes of it: the environment, the skipped
// benchmarks, each run. It ends early with the error of emit, or of ctx; what was
// emitted before is good.
func Carry(ctx context.Context, m Machine, plan *bench.Plan, emit func(bench.Record) error) error {
	env, err := m.Environment()
	if err != nil {
		return err
	}
	if err := emit(bench.Record{Environment: &env}); err != nil {
		return err
	}
	var able []bench.Benchmark
	for _, b := range plan.Benchmarks {
		if b.Needs == "" || m.Installed(b.Needs) {
			able = append(able, b)
			continue
		}
		skip := bench.Skip{Benchmark: b.Name, Reason: b.Needs + " is not installed"}
		if err := emit(bench.Record{Skip: &skip}); err != nil {
			return err
		}
	}
	results := map[string]string{}
	for b, r := range schedule(able, plan.Count) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		err := one(ctx, m, b, &r, env.APICs, results)
		if cause := context.Cause(ctx); cause != nil {
			return cause // the run was cut short by it
		}
		if err != nil {
			r.Error = err.Error()
		}
		if err := emit(bench.Record{Run: &r}); err != nil {
			return err
		}
	}
	return nil
}

// schedule yields the runs in their order. Round by round every benchmark has one
// pair, so that whatever changes in the course of time changes all alike, and an
// interruption leaves as many of each. The side that begins alternates.
func schedule(list []bench.Benchmark, count int) iter.Seq2[*bench.Benchmark, bench.Run] {
	return func(yield func(*bench.Benchmark, bench.Run) bool) {
		for pair := range count {
			for i := range list {
				for turn := range bench.Sides {
					side := bench.Sides[(turn+pair+i)%len(bench.Sides)]
					r := bench.Run{Benchmark: list[i].Name, Side: side, Pair: pair, First: turn == 0}
					if !yield(&list[i], r) {
						return
					}
				}
			}
		}
	}
}

// one makes one run. results holds what each benchmark came to the first time.
func one(ctx context.Context, m Machine, b *bench.Benchmark, r *bench.Run, application []uint64, results map[string]string) error {
	output, err := m.Run(ctx, b, r)
	if err != nil {
		return err
	}
	if err := Parse(output.Text, r); err != nil {
		return err
	}
	r.Result += output.Files
	r.Visits, r.Threads = output.Visits, output.Threads
	if _, ok := r.Values[b.Unit]; !ok {
		return fmt.Errorf("its output has no value in %s", b.Unit)
	}
	if err := Where(b, r, application); err != nil {
		return err
	}
	if first, ok := results[b.Name]; !ok {
		results[b.Name] = r.Result
	} else if first != r.Result {
		return fmt.Errorf("its result is %s, the first run's was %s", r.Result, first)
	}
	return nil
}
