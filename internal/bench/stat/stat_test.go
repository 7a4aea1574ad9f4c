package stat

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
)

var one = bench.Benchmark{Name: "One", Unit: bench.UnitTime}

// samples makes runs of one benchmark out of pairs.
func samples(pairs []Pair) *store.Samples {
	s := &store.Samples{Plan: bench.Plan{Benchmarks: []bench.Benchmark{one}}}
	for _, p := range pairs {
		for side, v := range map[bench.Side]float64{bench.Native: p.Native, bench.Adopted: p.Adopted} {
			s.Runs = append(s.Runs, bench.Run{Benchmark: "One", Side: side, Pair: p.Pair, Values: map[string]float64{bench.UnitTime: v}})
		}
	}
	return s
}

func drawPairs(t *rapid.T) []Pair {
	value := rapid.Float64Range(1, 1e9)
	n := rapid.IntRange(1, 30).Draw(t, "n")
	pairs := make([]Pair, n)
	for i := range pairs {
		pairs[i] = Pair{i, value.Draw(t, "native"), value.Draw(t, "adopted")}
	}
	return pairs
}

// near allows for rounding.
func near(a, b Number) bool {
	return a == b || math.Abs(float64(a-b)) <= 1e-9*math.Max(math.Abs(float64(a)), math.Abs(float64(b)))
}

func TestRatioIsAmongThePairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := drawPairs(t)
		r := Analyse(samples(pairs))[0]
		if d := cmp.Diff(pairs, r.Pairs); d != "" {
			t.Fatalf("pairs (-want +got):\n%s", d)
		}
		ratios := r.ratios()
		lo, hi := Number(slices.Min(ratios)), Number(slices.Max(ratios))
		if r.Ratio.Center < lo || r.Ratio.Center > hi || r.Ratio.Lo > r.Ratio.Center || r.Ratio.Hi < r.Ratio.Center {
			t.Fatalf("ratio %+v of %v", r.Ratio, ratios)
		}
		bounded := !math.IsInf(float64(r.Ratio.Lo), 0) && !math.IsInf(float64(r.Ratio.Hi), 0)
		if bounded != (len(pairs) >= 6) {
			t.Fatalf("%d pairs have the interval %+v", len(pairs), r.Ratio)
		}
	})
}

// Nothing depends on the order of the runs, or on what slows both runs of a pair.
func TestInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := drawPairs(t)
		want := Analyse(samples(pairs))[0]
		slowed := slices.Clone(pairs)
		for i := range slowed {
			factor := math.Ldexp(1, rapid.IntRange(-3, 3).Draw(t, "factor")) // exact
			slowed[i].Native *= factor
			slowed[i].Adopted *= factor
		}
		s := samples(rapid.Permutation(slowed).Draw(t, "order"))
		got := Analyse(s)[0]
		if !near(got.Ratio.Center, want.Ratio.Center) || !near(got.Ratio.Lo, want.Ratio.Lo) || !near(got.Ratio.Hi, want.Ratio.Hi) {
			t.Fatalf("%+v, then %+v", want.Ratio, got.Ratio)
		}
	})
}

func TestExchangedSidesHaveTheInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// An odd number: then the median is one of the values.
		pairs := drawPairs(t)
		pairs = pairs[:len(pairs)-1+len(pairs)%2]
		if len(pairs) == 0 {
			return
		}
		exchanged := slices.Clone(pairs)
		for i, p := range pairs {
			exchanged[i] = Pair{p.Pair, p.Adopted, p.Native}
		}
		a, b := Analyse(samples(pairs))[0].Ratio, Analyse(samples(exchanged))[0].Ratio.Inverse()
		// The bounds may be others: the intervals need not be symmetric in rank.
		if !near(a.Center, b.Center) || b.Lo > b.Center || b.Hi < b.Center {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}

func TestCompareWithItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Analyse(samples(drawPairs(t)))
		changes, gone, added := Compare(r, r)
		if len(changes) != 1 || changes[0].Ratio != 1 || changes[0].Differ || changes[0].Delta != "~" || len(gone)+len(added) > 0 {
			t.Fatalf("%+v, %v, %v", changes, gone, added)
		}
	})
}

// A change is found whatever the absolute times of the two boots were.
func TestCompareFindsChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(6, 20).Draw(t, "n")
		boot := rapid.Float64Range(0.1, 10).Draw(t, "boot")
		factor := rapid.SampledFrom([]float64{0.5, 0.8, 1.25, 2}).Draw(t, "factor")
		var from, to []Pair
		for i := range n {
			noise := rapid.Float64Range(0.98, 1.02)
			from = append(from, Pair{i, 100, 1000 * noise.Draw(t, "a")})
			to = append(to, Pair{i, 100 * boot, 1000 * boot * factor * noise.Draw(t, "b")})
		}
		changes, _, _ := Compare(Analyse(samples(from)), Analyse(samples(to)))
		c := changes[0]
		if !c.Differ || (c.Ratio > 1) != (factor > 1) || math.Abs(float64(c.Ratio)/factor-1) > 0.05 {
			t.Fatalf("factor %v: %+v", factor, c)
		}
	})
}

func TestFailedAndHalfPairs(t *testing.T) {
	s := samples([]Pair{{0, 1, 2}, {1, 1, 4}, {2, 0, 5}})
	s.Runs = append(s.Runs,
		bench.Run{Benchmark: "One", Side: bench.Native, Pair: 3, Values: map[string]float64{bench.UnitTime: 9}},
		bench.Run{Benchmark: "One", Side: bench.Adopted, Pair: 3, Error: "not away"},
		bench.Run{Benchmark: "Other", Side: bench.Adopted, Pair: 0, Error: "other's"})
	r := Analyse(s)[0]
	if len(r.Pairs) != 3 || r.Failed != 1 || r.Error != "adopted: not away" || r.Ratio.Center != 3 || !Failed([]Result{r}) {
		t.Errorf("%+v", r)
	}
	if want := "pairs whose native run measured nothing have no ratio"; !slices.Contains(r.Warnings, want) {
		t.Errorf("warnings %q", r.Warnings)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("JSON: %v", err)
	}
}

func TestNothingMeasured(t *testing.T) {
	s := samples(nil)
	s.Skips = []bench.Skip{{Benchmark: "One", Reason: "gcc is not installed"}}
	r := Analyse(s)
	if r[0].Skipped != "gcc is not installed" || !math.IsNaN(float64(r[0].Ratio.Center)) || Failed(r) {
		t.Errorf("%+v", r[0])
	}
	if changes, gone, added := Compare(r, r); len(changes)+len(gone)+len(added) != 0 {
		t.Errorf("%v %v %v", changes, gone, added)
	}
}

func TestCompareOneSided(t *testing.T) {
	a := Analyse(samples([]Pair{{0, 1, 2}}))
	_, gone, added := Compare(a, nil)
	if !slices.Equal(gone, []string{"One"}) || added != nil {
		t.Errorf("gone %v, added %v", gone, added)
	}
	_, gone, added = Compare(nil, a)
	if gone != nil || !slices.Equal(added, []string{"One"}) {
		t.Errorf("gone %v, added %v", gone, added)
	}
}
