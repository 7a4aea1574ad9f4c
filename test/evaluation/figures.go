package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
	"apkern/test/evaluation/job"
)

// key names a machine.
type key struct {
	system job.System
	cpus   int
}

// figures are the samples of all machines that have been run.
type figures struct {
	samples map[key]*store.Samples
	counts  []int // numbers of CPUs, more than one, ascending
}

// readFigures reads the directories of machines in dir.
func readFigures(dir string) (*figures, error) {
	f := &figures{samples: map[key]*store.Samples{}}
	for _, system := range systems {
		for n := 1; n <= maxCPUs; n++ {
			j := job.Job{System: system, CPUs: n}
			machine := filepath.Join(dir, j.Name())
			// The key is written when all samples are there.
			if _, err := os.Stat(filepath.Join(machine, keyFile)); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			s, err := store.Read(machine)
			if err != nil {
				return nil, err
			}
			f.samples[key{system, n}] = s
			if n > 1 && !slices.Contains(f.counts, n) {
				f.counts = append(f.counts, n)
			}
		}
	}
	slices.Sort(f.counts)
	return f, nil
}

// run returns a benchmark's run on a machine, nil when there is none that counts.
func (f *figures) run(k key, benchmark string) *bench.Run {
	s := f.samples[k]
	if s == nil {
		return nil
	}
	for i := range s.Runs {
		if r := &s.Runs[i]; r.Benchmark == benchmark && r.Error == "" {
			return r
		}
	}
	return nil
}

// value returns a measurement, 0 when there is none.
func (f *figures) value(k key, benchmark, unit string) float64 {
	if r := f.run(k, benchmark); r != nil {
		return r.Values[unit]
	}
	return 0
}

// speedUp is how many times as fast as Linux without SMP a machine is, 0 when it
// is not known.
func (f *figures) speedUp(k key, benchmark, unit string) float64 {
	one, here := f.value(key{job.Uniprocessor, 1}, benchmark, unit), f.value(k, benchmark, unit)
	if here == 0 {
		return 0
	}
	return one / here
}

// faults are the reasons not to trust the figures: runs that failed, and programs
// that did not come to the same everywhere.
func (f *figures) faults() []string {
	var faults []string
	first := map[string]string{} // results by benchmark
	for _, k := range f.keys() {
		j := job.Job{System: k.system, CPUs: k.cpus}
		for _, r := range f.samples[k].Runs {
			if r.Error != "" {
				faults = append(faults, fmt.Sprintf("%s: %s: %s", j.Name(), r.Benchmark, r.Error))
				continue
			}
			if other, ok := first[r.Benchmark]; !ok {
				first[r.Benchmark] = r.Result
			} else if other != r.Result {
				faults = append(faults, fmt.Sprintf("%s: %s came to %s, elsewhere to %s", j.Name(), r.Benchmark, r.Result, other))
			}
		}
	}
	return faults
}

// keys are the machines in the order of reports.
func (f *figures) keys() []key {
	var list []key
	for _, system := range systems {
		for n := 1; n <= maxCPUs; n++ {
			if f.samples[key{system, n}] != nil {
				list = append(list, key{system, n})
			}
		}
	}
	return list
}
