package runner

import (
	"fmt"
	"strconv"
	"strings"

	"apkern/internal/bench"
)

// Parse reads what a program printed (test/bench/bench.h) into r. A line that is
// not of the protocol is an error: nothing of such a run can be trusted.
func Parse(output string, r *bench.Run) error {
	for line := range strings.Lines(output) {
		if err := parseLine(strings.Fields(line), r); err != nil {
			return fmt.Errorf("its output: %q: %w", strings.TrimSpace(line), err)
		}
	}
	if len(r.Values) == 0 || r.Ops <= 0 {
		return fmt.Errorf("its output has no value, or no number of operations")
	}
	return nil
}

func parseLine(words []string, r *bench.Run) (err error) {
	switch {
	case len(words) == 3 && words[0] == "value":
		if _, twice := r.Values[words[1]]; twice {
			return fmt.Errorf("a second value in %s", words[1])
		}
		if r.Values == nil {
			r.Values = map[string]float64{}
		}
		r.Values[words[1]], err = number(words[2])
	case len(words) == 2 && words[0] == "ops":
		r.Ops, err = strconv.ParseInt(words[1], 10, 64)
	case len(words) == 3 && words[0] == "seen":
		return parseSeen(words, r)
	case len(words) == 2 && words[0] == "gap":
		var ns float64
		ns, err = number(words[1])
		r.Gaps = append(r.Gaps, ns)
	case len(words) == 2 && words[0] == "result":
		r.Result = words[1]
	default:
		err = fmt.Errorf("not a line of the protocol")
	}
	return err
}

// number reads a measurement, which is finite and not negative.
func number(word string) (float64, error) {
	v, err := strconv.ParseFloat(word, 64)
	if err == nil && !(v >= 0 && v <= 1e300) {
		err = fmt.Errorf("not a measurement")
	}
	return v, err
}

func parseSeen(words []string, r *bench.Run) error {
	id, err := strconv.ParseUint(words[1], 10, 32)
	if err != nil {
		return err
	}
	passes, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return err
	}
	if r.Seen == nil {
		r.Seen = map[uint64]int64{}
	}
	r.Seen[id] += passes
	return nil
}
