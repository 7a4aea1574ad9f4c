// Package benchfake is a runner.Machine without a machine, for tests: its samples are
// made up, the same every time.
package benchfake

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"apkern/internal/bench"
	"apkern/internal/bench/runner"
)

// Machine is a fake machine with application CPUs 1 to 3.
type Machine struct {
	Missing   []string         // programs that are not installed
	Misplaced string           // the benchmark whose adopted runs stay home
	Failing   string           // the benchmark whose program fails
	Wrong     string           // the benchmark whose adopted result is another
	Slower    float64          // factor of adopted runs; 0: 1
	Stuck     string           // the benchmark whose second adopted run does not end
	Unloaded  bool             // there is no module
	Ran       func(*bench.Run) // if set, is told about every run
	Closed    int              // calls of Close
}

// Environment implements runner.Machine.
func (m *Machine) Environment() (bench.Environment, error) {
	if m.Unloaded {
		return bench.Environment{}, errors.New("the module is not loaded")
	}
	return bench.Environment{
		Kernel: "6.1.0-fake", Version: "#1 SMP fake", CPU: "Fake CPU @ 1 GHz", Home: []int{0},
		Application: []int{1, 2, 3}, APICs: []uint64{1, 2, 3}, Hypervisor: "TCGTCGTCGTCG", Build: "0123456789abcdef",
		Parameters: map[string]string{"stay": "Y"},
	}, nil
}

// Installed implements runner.Machine.
func (m *Machine) Installed(program string) bool { return !slices.Contains(m.Missing, program) }

// Close implements runner.Machine.
func (m *Machine) Close() error {
	m.Closed++
	return nil
}

// IsStuck says whether a run is the one that does not end.
func (m *Machine) IsStuck(r *bench.Run) bool {
	return r.Benchmark == m.Stuck && r.Side == bench.Adopted && r.Pair == 1
}

// Run implements runner.Machine: the adopted run takes between two and three times as
// long, one that shares the work accordingly less.
func (m *Machine) Run(ctx context.Context, b *bench.Benchmark, r *bench.Run) (runner.Output, error) {
	if m.Ran != nil {
		m.Ran(r)
	}
	if m.IsStuck(r) {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return runner.Output{}, err
	}
	if b.Name == m.Failing {
		return runner.Output{}, errors.New("exit status 1: wrong answer")
	}
	value := 1000 + 10*float64(hash(b.Name)%50) + float64(hash(fmt.Sprint(b.Name, r.Pair))%20)
	apic, visits, threads, result := 0, 0, 0, "same"
	if r.Side == bench.Adopted {
		value *= 2 + float64(hash(fmt.Sprint(r.Pair, b.Name))%100)/100
		if b.Threads > 0 {
			value /= float64(2 * b.Threads)
		}
		if m.Slower > 0 {
			value *= m.Slower
		}
		if b.Name != m.Misplaced {
			apic, visits, threads = 1, 17, 1
		}
		if b.Name == m.Wrong {
			result = "different"
		}
	}
	text := fmt.Sprintf("ops 100\nvalue %s %g\nseen %d 20\nresult %s\n", b.Unit, value, apic, result)
	if b.Unit == bench.UnitLost {
		for i := range 20 - 5*apic {
			text += fmt.Sprintf("gap %d\n", 5000+hash(fmt.Sprint(r.Pair, apic, i))%100000)
		}
	}
	return runner.Output{Text: text, Visits: int64(visits), Threads: int64(threads)}, nil
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // does not fail
	return h.Sum32()
}
