package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// memoryCase is a way in which Linux moves memory about while threads that are
// away write to it, and how it is known that it did.
type memoryCase struct {
	name     string
	settings map[string]string // files, relative to /sys/kernel/mm
	counters []string          // of /proc/vmstat, each of which must grow
	limit    int               // of the program's control group, in bytes
}

// needs is what the kernel must have for a case, below /sys/kernel/mm: a
// real-time one, for one, has no huge pages.
func (c memoryCase) missing() string {
	for name := range c.settings {
		if _, err := os.Stat(filepath.Join(mmDir, name)); err != nil {
			return name
		}
	}
	return ""
}

// memoryLimit is less than the program memory needs, in bytes.
const memoryLimit = 3 << 20

const (
	mmDir    = "/sys/kernel/mm"
	hugeMode = "transparent_hugepage/enabled"
)

// TestMemory: swapping, huge pages made and split, equal pages merged and memory
// compacted lose nothing that threads away write at the same time.
func TestMemory(t *testing.T) {
	begin(t)
	swapOn(t)
	runMemory(t, []memoryCase{
		{name: "pageout", counters: []string{"pswpout"}}, // written, and taken back before it is dropped
		{name: "shared", counters: []string{"pswpout"}},
		{name: "limit", counters: []string{"pswpout", "pswpin"}, limit: memoryLimit},
		{name: "limit", settings: map[string]string{"lru_gen/enabled": "y"},
			counters: []string{"pswpout", "pswpin"}, limit: memoryLimit},
		{name: "collapse", settings: map[string]string{hugeMode: "madvise"},
			counters: []string{"thp_collapse_alloc", "thp_split_page", "thp_split_pmd"}},
		{name: "khugepaged", settings: map[string]string{
			hugeMode: "madvise",
			"transparent_hugepage/khugepaged/scan_sleep_millisecs": "10",
			"transparent_hugepage/khugepaged/pages_to_scan":        "65536",
		}, counters: []string{"thp_collapse_alloc", "thp_split_page"}},
		{name: "merge", settings: map[string]string{
			"ksm/pages_to_scan": "4096", "ksm/sleep_millisecs": "1", "ksm/run": "1",
		}, counters: []string{"cow_ksm"}},
		{name: "compact", counters: []string{"pgmigrate_success", "compact_isolated", "compact_migrate_scanned"}},
	})
}

// TestNodes belongs into a boot with two nodes: pages that move between them lose
// nothing of what threads away write.
func TestNodes(t *testing.T) {
	begin(t)
	if nodes := readFile(t, "/sys/devices/system/node/has_memory"); nodes != "0-1" {
		t.Fatalf("the nodes with memory are %s, not 0-1: this boot needs numa=fake=2", nodes)
	}
	runMemory(t, []memoryCase{
		{name: "move", counters: []string{"pgmigrate_success"}},
		{name: "migrate", counters: []string{"pgmigrate_success"}},
	})
}

// runMemory runs the cases as subtests.
func runMemory(t *testing.T, cases []memoryCase) {
	t.Helper()
	const manyRounds = "1000000"
	for _, c := range cases {
		name := c.name
		if _, generations := c.settings["lru_gen/enabled"]; generations {
			name += " by generations"
		}
		t.Run(name, func(t *testing.T) {
			if what := c.missing(); what != "" {
				t.Skipf("this kernel has no %s", what)
			}
			for file, value := range c.settings {
				setMemory(t, file, value)
			}
			how := natively
			if c.limit != 0 {
				group := controlGroup(t, "memory")
				write(t, group, "memory.max", strconv.Itoa(c.limit))
				how = inGroup(natively, group)
			}
			before := vmstat(t)
			succeed(t, how, program("memory"), c.name, manyRounds, patience("6"))
			after := vmstat(t)
			for _, counter := range c.counters {
				old, known := before[counter]
				if n := after[counter] - old; !known || n <= 0 {
					t.Errorf("%s grew by %d: what the case is about did not happen", counter, n)
				}
			}
		})
	}
}

// setMemory writes a file below /sys/kernel/mm and restores it after the test.
// One that shows all possible values has the present one in brackets.
func setMemory(t *testing.T, file, value string) {
	t.Helper()
	before := readFile(t, filepath.Join(mmDir, file))
	if _, rest, found := strings.Cut(before, "["); found {
		before, _, _ = strings.Cut(rest, "]")
	}
	write(t, mmDir, file, value)
	t.Cleanup(func() { write(t, mmDir, file, before) })
}

// vmstat returns the counters of the memory management.
func vmstat(t *testing.T) map[string]int64 {
	t.Helper()
	counters := map[string]int64{}
	for line := range strings.Lines(readFile(t, "/proc/vmstat") + "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			t.Fatal(fmt.Errorf("vmstat: %s: %w", name, err))
		}
		counters[name] = n
	}
	return counters
}
