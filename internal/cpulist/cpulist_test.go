package cpulist_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"apkern/internal/cpulist"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []int
	}{
		{"0", []int{0}},
		{"0-3", []int{0, 1, 2, 3}},
		{"1,3-5\n", []int{1, 3, 4, 5}},
		{"5,1,1-2", []int{1, 2, 5}},
		{"255", []int{255}},
	} {
		got, err := cpulist.Parse(c.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.in, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("Parse(%q): %s", c.in, d)
		}
	}
	for _, bad := range []string{"", ",", "a", "1-", "-1", "3-1", "256", "1,,2", "1;2", "0x1"} {
		if got, err := cpulist.Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", bad, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cpus := rapid.SliceOfNDistinct(rapid.IntRange(0, cpulist.Max-1), 1, 40, rapid.ID[int]).Draw(t, "cpus")
		slices.Sort(cpus)
		got, err := cpulist.Parse(cpulist.Format(cpus))
		if err != nil || !slices.Equal(got, cpus) {
			t.Fatalf("%v became %q, then %v (%v)", cpus, cpulist.Format(cpus), got, err)
		}
	})
}
