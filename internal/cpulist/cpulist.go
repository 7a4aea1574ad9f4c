// Package cpulist reads and writes sets of CPUs in Linux's cpulist syntax
// (Documentation/admin-guide/cputopology.rst): "0", "0-3", "1,3-5".
package cpulist

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Max is the highest CPU number plus one that a list may name: what the masks
// of /dev/apkern hold.
const Max = 256

// Parse returns the CPUs that list names, ascending and without repetition.
// An empty list, a descending range and a number of Max or more are errors.
func Parse(list string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, ranged := strings.Cut(part, "-")
		lo, err := number(first)
		if err != nil {
			return nil, fmt.Errorf("CPU list %q: %w", list, err)
		}
		hi := lo
		if ranged {
			if hi, err = number(last); err != nil {
				return nil, fmt.Errorf("CPU list %q: %w", list, err)
			}
		}
		if hi < lo {
			return nil, fmt.Errorf("CPU list %q: range %s descends", list, part)
		}
		for c := lo; c <= hi; c++ {
			cpus = append(cpus, c)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

// number is one CPU number of a list.
func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a CPU number; write it as 0, 0-3 or 1,3-5", s)
	}
	if n >= Max {
		return 0, fmt.Errorf("CPU %d is out of range (0-%d)", n, Max-1)
	}
	return int(n), nil
}

// Format is the inverse of Parse. It expects ascending CPUs; none give "".
func Format(cpus []int) string {
	var b strings.Builder
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(cpus[i]))
		if j > i {
			fmt.Fprintf(&b, "-%d", cpus[j])
		}
		i = j + 1
	}
	return b.String()
}
