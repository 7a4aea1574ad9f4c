// Package report shows what was measured: a table for the terminal, JSON, and a page.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"apkern/internal/bench"
	"apkern/internal/bench/stat"
	"apkern/internal/bench/store"
	"apkern/internal/cpulist"
)

// Report is samples and what they come to.
type Report struct {
	Samples *store.Samples
	Results []stat.Result
}

// New analyses samples.
func New(s *store.Samples) *Report { return &Report{s, stat.Analyse(s)} }

// WriteJSON writes all there is, the raw samples included.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		File        string            `json:"file"`
		Plan        bench.Plan        `json:"plan"`
		Environment bench.Environment `json:"environment"`
		Confidence  float64           `json:"confidence"`
		Results     []stat.Result     `json:"results"`
		Runs        []bench.Run       `json:"runs"`
	}{r.Samples.File, r.Samples.Plan, r.Samples.Environment, stat.Confidence, r.Results, r.Samples.Runs})
}

// good counts the runs that count.
func (r *Report) good() int {
	n := 0
	for _, run := range r.Samples.Runs {
		if run.Error == "" {
			n++
		}
	}
	return n
}

// fact is a line about the machine or the measurement.
type fact struct{ Name, Value string }

// facts are what figures depend on.
func (r *Report) facts() []fact {
	p, e := &r.Samples.Plan, &r.Samples.Environment
	cpus := fmt.Sprintf("home %s, application %s", list(e.Home), list(e.Application))
	if p.Place == "vm" {
		cpus += fmt.Sprintf("; the host has %d", p.HostCPUs)
	}
	return []fact{
		{"kernel", e.Kernel},
		{"emulator", e.Emulator()},
		{"processor", e.CPU},
		{"CPUs", cpus},
		{"apkern", fmt.Sprintf("%s, application kernel %.8s", p.Version, e.Build)},
		{"begun", p.Begun.UTC().Format(time.DateTime) + " UTC"},
		{"samples", fmt.Sprintf("%d good runs of %d in %s", r.good(), len(r.Samples.Runs), r.Samples.File)},
	}
}

func list(cpus []int) string {
	if len(cpus) == 0 {
		return "none"
	}
	return cpulist.Format(cpus)
}

// notes are what a reader must know besides the figures: what failed, what was
// skipped, what the statistics cannot say.
func (r *Report) notes() []string {
	var notes []string
	warned := map[string][]string{} // names by warning
	var order []string
	measured := 0
	for _, res := range r.Results {
		name := res.Benchmark.Name
		if res.Skipped != "" {
			notes = append(notes, fmt.Sprintf("%s was skipped: %s", name, res.Skipped))
			continue
		}
		if res.Failed > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d runs count for nothing; the first: %s", name, res.Failed, res.Error))
		}
		if len(res.Pairs) == 0 {
			continue
		}
		measured++
		for _, w := range res.Warnings {
			if warned[w] == nil {
				order = append(order, w)
			}
			warned[w] = append(warned[w], name)
		}
	}
	for _, w := range order {
		names := slices.Compact(warned[w])
		whom := strings.Join(names, ", ")
		if len(names) > 1 && len(names) == measured {
			whom = "all"
		}
		notes = append(notes, w+": "+whom)
	}
	return notes
}
