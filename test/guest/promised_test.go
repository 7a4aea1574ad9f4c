package guest

import (
	"strconv"
	"testing"
)

// TestFootprint: what apkern takes of memory is what docs/memory.md says at the most.
func TestFootprint(t *testing.T) {
	begin(t)
	const (
		mostOnce   = 8 << 20
		mostCPU    = 64<<10 + 1<<10 // 16 pages, and the list of them
		mostThread = 12 << 10
		threads    = 60 // at the same time; about as many records are kept for new ones afterwards
	)
	read := func(path string) int {
		n, err := strconv.Atoi(readFile(t, path))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const top = "/sys/kernel/apkern/"
	once := read("/sys/module/apkern/coresize") + read(top+"memory_shared")
	cpus := read(top+"memory_cpus") / len(cpuList(t, "cpus"))
	succeed(t, viaRun, program("spin"), strconv.Itoa(threads), strconv.Itoa(20*slower()))
	each := read(top+"memory_threads") / threads
	t.Logf("once %d bytes, a CPU %d, a thread %d", once, cpus, each)
	if each < mostThread/2 {
		t.Errorf("%d bytes a thread: there were not so many at a time", each)
	}
	if once > mostOnce || cpus > mostCPU || each > mostThread {
		t.Errorf("more than %d, %d and %d", mostOnce, mostCPU, mostThread)
	}
}
