package guest

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// footprint is what Linux uses for itself, in KiB, as /proc/meminfo has it.
type footprint struct {
	Slab    int64 // that cannot be reclaimed
	Vmalloc int64
	Stacks  int64
	Tables  int64 // page tables
	PerCPU  int64
	Other   int64 // pages that nothing accounts for: whoever called alloc_pages()
}

func (m footprint) total() int64 {
	return m.Slab + m.Vmalloc + m.Stacks + m.Tables + m.PerCPU + m.Other
}

func (m footprint) String() string {
	return fmt.Sprintf("%d KiB (slab %d, vmalloc %d, stacks %d, page tables %d, per CPU %d, other %d)",
		m.total(), m.Slab, m.Vmalloc, m.Stacks, m.Tables, m.PerCPU, m.Other)
}

// readFootprint reads it, with what can be given up given up. Vmalloc's part
// includes the stacks, which are counted once. Free pages that a CPU keeps for
// itself are free.
func readFootprint(t *testing.T) footprint {
	t.Helper()
	unix.Sync()
	write(t, "/proc/sys/vm", "drop_caches", "3")
	write(t, "/proc/sys/vm", "stat_refresh", "1")
	v := map[string]int64{}
	for line := range strings.Lines(readFile(t, "/proc/meminfo")) {
		name, rest, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			t.Fatalf("/proc/meminfo: %q", line)
		}
		v[name] = n
	}
	m := footprint{Slab: v["SUnreclaim"], Vmalloc: v["VmallocUsed"] - v["KernelStack"], Stacks: v["KernelStack"], Tables: v["PageTables"], PerCPU: v["Percpu"]}
	m.Other = v["MemTotal"] - v["MemFree"] - keptFree(t) - v["Buffers"] - v["Cached"] - v["SwapCached"] - v["AnonPages"] -
		v["KReclaimable"] - m.total()
	return m
}

var keptPages = regexp.MustCompile(`(?m)^ +count: +(\d+)$`)

// keptFree returns how much memory is free in the lists of the CPUs, in KiB.
func keptFree(t *testing.T) (kib int64) {
	t.Helper()
	for _, m := range keptPages.FindAllStringSubmatch(readFile(t, "/proc/zoneinfo"), -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		kib += n * int64(os.Getpagesize()) >> 10
	}
	return kib
}

// grown fails the test when Linux uses more than so many KiB more than before.
// Caches of the allocators account for some.
func grown(t *testing.T, before, after footprint, most int64) {
	t.Helper()
	if n := after.total() - before.total(); n > most {
		t.Errorf("the kernel's memory grew by %d KiB, %d are expected at most: before %v, after %v", n, most, before, after)
	}
}
