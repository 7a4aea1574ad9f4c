package bench

import (
	"regexp"
	"slices"
	"testing"
)

func names(list []Benchmark) []string {
	var n []string
	for _, b := range list {
		n = append(n, b.Name)
	}
	return n
}

func TestAll(t *testing.T) {
	wellFormed := regexp.MustCompile(`^[A-Z][A-Za-z]*(/[a-z]+(=[a-z0-9]+)?)*$`)
	for _, cpus := range []int{1, 2, 3, 8} {
		seen := map[string]bool{}
		for _, b := range All(cpus) {
			if seen[b.Name] {
				t.Errorf("%d CPUs: two benchmarks are called %s", cpus, b.Name)
			}
			seen[b.Name] = true
			if !wellFormed.MatchString(b.Name) {
				t.Errorf("%q is not a name of the Go benchmark format", b.Name)
			}
			if b.About == "" || b.Unit == "" || b.Group == "" || b.Adoption == "" || len(b.Argv) == 0 {
				t.Errorf("incomplete: %+v", b)
			}
			if b.Threads > cpus {
				t.Errorf("%s: only %d CPUs", b.Name, cpus)
			}
		}
	}
}

func TestSteps(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 3: {1, 2, 3}, 8: {1, 2, 3, 4, 5, 6, 7, 8}, 40: {1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 40}} {
		if got := steps(n); !slices.Equal(got, want) {
			t.Errorf("%d: %v", n, got)
		}
	}
}

func TestSelect(t *testing.T) {
	all := All(3)
	for _, c := range []struct {
		names []string
		want  int
	}{
		{nil, len(all)},
		{[]string{"Getppid"}, 2},
		{[]string{"Getppid/policy=on"}, 1},
		{[]string{"compute"}, 3},
		{[]string{"Compute/threads=2", "compute", "Getpid"}, 4},
	} {
		got, err := Select(all, c.names)
		if err != nil || len(got) != c.want {
			t.Errorf("%q: %q, %v; want %d", c.names, names(got), err, c.want)
		}
	}
	for _, name := range []string{"", "Get", "getppid", "Getppid/", "call/"} {
		if got, err := Select(all, []string{name}); err == nil {
			t.Errorf("%q selects %q", name, names(got))
		}
	}
}
