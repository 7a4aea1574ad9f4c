package report

import (
	"fmt"
	"math"

	"apkern/internal/bench"
	"apkern/internal/bench/stat"
)

// quantity is a measurement for people.
func quantity(v stat.Number, unit string) string {
	switch unit {
	case bench.UnitTime:
		return duration(float64(v))
	case bench.UnitLost:
		return duration(float64(v)) + "/s"
	}
	return plain(float64(v)) + " " + unit
}

// duration is nanoseconds, with three digits.
func duration(ns float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size*0.9995 {
			return plain(ns/u.size) + " " + u.name
		}
	}
	return plain(ns) + " ns"
}

// plain is a number with at least three digits and no exponent.
func plain(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case a >= 99.95 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.0995:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// bounds is an interval without its centre.
func bounds(i stat.Interval) string {
	lo, hi := float64(i.Lo), float64(i.Hi)
	if math.IsInf(lo, 0) || math.IsInf(hi, 0) || math.IsNaN(lo) || math.IsNaN(hi) {
		return "-"
	}
	return plain(lo) + " to " + plain(hi)
}

func probability(p stat.Number) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", float64(p))
}
