// Package stat turns samples into pairs, medians and intervals.
//
// Nothing is assumed about how measurements are distributed: the centre is the median,
// its interval follows from order statistics, and two samples are compared by the
// Mann-Whitney U test, all by golang.org/x/perf/benchmath. What is summarised are the
// ratios of pairs, not the ratio of two medians: a pair's two runs were made one after
// the other, and what slowed the machine then slowed both.
package stat

import (
	"encoding/json"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
)

// Confidence is the level of every interval.
const Confidence = 0.95

// Number is a measurement in JSON, where infinity, and what is not a number, is null.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(n), 0) || math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// Interval is a median with its confidence interval. Too few samples leave the bounds
// infinite.
type Interval struct {
	Center Number `json:"median"`
	Lo     Number `json:"lo"`
	Hi     Number `json:"hi"`
}

// Pair is one run on each side.
type Pair struct {
	Pair    int     `json:"pair"`
	Native  float64 `json:"native"`
	Adopted float64 `json:"adopted"`
}

// Ratio is how many times as much the adopted run took.
func (p Pair) Ratio() float64 { return p.Adopted / p.Native }

// Result is what one benchmark came to.
type Result struct {
	Benchmark bench.Benchmark `json:"benchmark"`
	Pairs     []Pair          `json:"pairs"`    // those that are whole
	Failed    int             `json:"failed"`   // runs that count for nothing
	Error     string          `json:"error"`    // of the first of them
	Skipped   string          `json:"skipped"`  // why it was not run
	Native    Interval        `json:"native"`   // in the benchmark's unit
	Adopted   Interval        `json:"adopted"`  // the same
	Ratio     Interval        `json:"ratio"`    // of pairs, adopted to native
	P         Number          `json:"p"`        // that the two sides do not differ
	Warnings  []string        `json:"warnings"` // why less can be said than was asked
}

// Analyse returns the results in the order of the plan.
func Analyse(s *store.Samples) []Result {
	results := make([]Result, 0, len(s.Plan.Benchmarks))
	for _, b := range s.Plan.Benchmarks {
		r := Result{Benchmark: b, Pairs: []Pair{}, Warnings: []string{}}
		for _, skip := range s.Skips {
			if skip.Benchmark == b.Name {
				r.Skipped = skip.Reason
			}
		}
		r.pair(s.Runs)
		r.summarise()
		results = append(results, r)
	}
	return results
}

// pair puts the benchmark's good runs together.
func (r *Result) pair(runs []bench.Run) {
	native := map[int]float64{}
	adopted := map[int]float64{}
	for _, run := range runs {
		value, ok := run.Values[r.Benchmark.Unit]
		switch {
		case run.Benchmark != r.Benchmark.Name:
		case run.Error != "" || !ok:
			if r.Failed++; r.Failed == 1 {
				r.Error = string(run.Side) + ": " + run.Error
			}
		case run.Side == bench.Native:
			native[run.Pair] = value
		default:
			adopted[run.Pair] = value
		}
	}
	for pair, n := range native {
		if a, ok := adopted[pair]; ok {
			r.Pairs = append(r.Pairs, Pair{pair, n, a})
		}
	}
	slices.SortFunc(r.Pairs, func(a, b Pair) int { return a.Pair - b.Pair })
}

func (r *Result) summarise() {
	var native, adopted []float64
	for _, p := range r.Pairs {
		native = append(native, p.Native)
		adopted = append(adopted, p.Adopted)
	}
	r.Native, _ = interval(native)
	r.Adopted, _ = interval(adopted)
	var warnings []error
	r.Ratio, warnings = interval(r.ratios())
	c := compare(native, adopted)
	r.P = Number(c.P)
	for _, w := range slices.Concat(warnings, c.Warnings) {
		r.Warnings = append(r.Warnings, w.Error())
	}
	if len(r.Pairs) > len(r.ratios()) {
		r.Warnings = append(r.Warnings, "pairs whose native run measured nothing have no ratio")
	}
}

// ratios are those of the pairs that have one: natively nothing may have been lost.
func (r *Result) ratios() []float64 {
	var list []float64
	for _, p := range r.Pairs {
		if p.Native > 0 {
			list = append(list, p.Ratio())
		}
	}
	return list
}

// interval summarises values. Of none nothing is known.
func interval(values []float64) (Interval, []error) {
	if len(values) == 0 {
		return Interval{Number(math.NaN()), Number(math.Inf(-1)), Number(math.Inf(1))}, nil
	}
	s := benchmath.AssumeNothing.Summary(sample(values), Confidence)
	return Interval{Number(s.Center), Number(s.Lo), Number(s.Hi)}, s.Warnings
}

// sample sorts the values.
func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(values, &benchmath.DefaultThresholds)
}

func compare(a, b []float64) benchmath.Comparison {
	if len(a) == 0 || len(b) == 0 {
		return benchmath.Comparison{P: 1, N1: len(a), N2: len(b), Alpha: benchmath.DefaultThresholds.CompareAlpha}
	}
	return benchmath.AssumeNothing.Compare(sample(a), sample(b))
}

// Inverse is the interval of the inverse: of a ratio of times, the speed-up.
func (i Interval) Inverse() Interval {
	return Interval{1 / i.Center, 1 / i.Hi, inverse(i.Lo)}
}

// inverse of a lower bound; one that is not above zero bounds nothing.
func inverse(lo Number) Number {
	if lo <= 0 {
		return Number(math.Inf(1))
	}
	return 1 / lo
}

// Failed says whether any run failed.
func Failed(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.Failed > 0 })
}
