package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// seenBy returns the APIC ids that the threads of spin saw.
func seenBy(t *testing.T, o outcome) []int {
	t.Helper()
	var all []int
	for _, line := range strings.Split(o.Stdout, "\n") {
		_, ids, found := strings.Cut(line, ": APIC ids")
		if !found {
			continue
		}
		for _, f := range strings.Fields(ids) {
			id, err := strconv.Atoi(f)
			if err != nil {
				t.Fatalf("spin: %q", line)
			}
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	slices.Sort(all)
	return all
}

// checkOnly checks that threads under apkern run -c CPU are on that CPU and no other
// application CPU.
func checkOnly(t *testing.T, cpu int) {
	t.Helper()
	w := way{name: "apkern run -c", prefix: []string{"apkern", "run", "-c", strconv.Itoa(cpu), "--"}, env: []string{"WHERE=out"}}
	seen := seenBy(t, succeed(t, w, program("spin"), "2", "60"))
	if !slices.Contains(seen, cpu) {
		t.Errorf("apkern run -c %d: never there, but on %v", cpu, seen)
	}
	for _, id := range seen {
		if id != cpu && slices.Contains(cpuList(t, "cpus"), id) {
			t.Errorf("apkern run -c %d: on %d as well", cpu, id)
		}
	}
}

// TestTaken belongs into a boot in which Linux runs four CPUs: two are taken
// from it, used, and given back.
func TestTaken(t *testing.T) {
	mustUnload(t)
	if got := readFile(t, onlineFile); got != "0-3" {
		t.Fatalf("CPUs online: %s, this test needs 0-3", got)
	}
	refused(t, "cpus=all", unix.ENODEV, `no CPU`)
	for range 3 {
		mustLoad(t, "cpus=2-3 stay=0")
		if got := readFile(t, onlineFile); got != "0-1" {
			t.Errorf("CPUs online: %s, not 0-1", got)
		}
		if got := readFile(t, sysfs+"/cpus"); got != "2-3" {
			t.Errorf("application CPUs: %s, not 2-3", got)
		}
		succeed(t, preload, program("parallel"), "2", "200")
		seen := seenBy(t, succeed(t, preload, program("spin"), "2", "100"))
		if !slices.Contains(seen, 2) || !slices.Contains(seen, 3) {
			t.Errorf("threads saw the APIC ids %v, not 2 and 3", seen)
		}
		onlineRefused(t, 2)
		settle(t)
		mustUnload(t)
		if got := readFile(t, onlineFile); got != "0-3" {
			t.Errorf("CPUs online after rmmod: %s, not 0-3", got)
		}
	}
}

// interrupts are the counters of what can interrupt a program on an application CPU.
var interrupts = []string{"irq_wake", "irq_flush", "irq_recall", "irq_resched", "irq_timer", "irq_other", "nmi", "mce"}

// TestTakenIsolated belongs into the same boot: two CPUs are taken from a Linux that computes
// on all four, a program turns on one of them for $ISOLATED_SECONDS (5) without an
// interrupt and without coming home, and Linux gets both back; all results are right.
func TestTakenIsolated(t *testing.T) {
	mustUnload(t)
	all := readFile(t, onlineFile)
	c := startComputing(t, native, 5)
	busyOn(t, 2, 3)
	mustLoad(t, "cpus=2-3 stay=0")
	v := startVictim(t, preload, 1)
	cpu := int(v.pages[0].apic)
	count := func(names []string) (n int64) {
		for _, name := range names {
			n += number(t, filepath.Join(sysfs, fmt.Sprintf("cpu%d/counters", cpu), name))
		}
		return n
	}
	runs := []string{"run"}
	before, ran := count(interrupts), count(runs)
	turns, seconds := atomic.LoadUint64(&v.pages[0].turns), environmentNumber(t, "ISOLATED_SECONDS", 5)
	time.Sleep(time.Duration(seconds) * time.Second)
	turns = atomic.LoadUint64(&v.pages[0].turns) - turns
	if n := count(interrupts) - before; n != 0 {
		t.Errorf("%d interrupts in %d seconds on CPU %d", n, seconds, cpu)
	}
	if n := count(runs) - ran; n != 0 || turns == 0 || int(v.pages[0].apic) != cpu {
		t.Errorf("the program came %d times to CPU %d, made %d turns, and is on %d", n, cpu, turns, v.pages[0].apic)
	}
	t.Logf("%d seconds on CPU %d: %d turns, %d interrupts", seconds, cpu, turns, count(interrupts)-before)
	killGroup(v.cmd)
	mustUnload(t)
	if err := untouched(all); err != nil {
		t.Error(err)
	}
	busyOn(t, 2, 3)
	if rounds, seen := c.finish(); seen != 0xf {
		t.Errorf("%d results, natively on the APIC ids %#x, not on all four", rounds, seen)
	}
}

// busyOn waits until Linux has run programs on each of the CPUs.
func busyOn(t *testing.T, cpus ...int) {
	t.Helper()
	before := userTime(t)
	eventually(t, fmt.Sprintf("Linux runs programs on the CPUs %v", cpus), func() (bool, string) {
		now := userTime(t)
		return !slices.ContainsFunc(cpus, func(cpu int) bool { return now[cpu] <= before[cpu] }), fmt.Sprint(now)
	})
}

// userTime returns the time that each online CPU has spent in user mode, in ticks.
func userTime(t *testing.T) map[int]int64 {
	t.Helper()
	times := map[int]int64{}
	for line := range strings.Lines(readFile(t, "/proc/stat")) {
		var cpu int
		var user int64
		if n, _ := fmt.Sscanf(line, "cpu%d %d", &cpu, &user); n == 2 {
			times[cpu] = user
		}
	}
	return times
}

// onlineRefused checks that nobody brings a CPU online that the module holds.
func onlineRefused(t *testing.T, cpu int) {
	t.Helper()
	log := openKernelLog(t)
	path := fmt.Sprintf("/sys/devices/system/cpu/cpu%d/online", cpu)
	if err := os.WriteFile(path, []byte("1"), 0); err == nil {
		t.Errorf("CPU %d came online while the module holds it", cpu)
	}
	if said := log.ours(); len(said) == 0 {
		t.Errorf("the kernel log does not say why CPU %d stays", cpu)
	}
	if got := readFile(t, path); got != "0" {
		t.Errorf("%s: %s", path, got)
	}
}

// TestSeveralHomes belongs into a boot in which Linux has two CPUs and the
// application kernel two: the mechanisms that depend on which CPU is home.
func TestSeveralHomes(t *testing.T) {
	begin(t)
	if got := readFile(t, onlineFile); got != "0-1" {
		t.Fatalf("CPUs online: %s, this test needs 0-1", got)
	}
	each(t, "stopcont 10", "storm 1000", "recall 1000", "forks", "fpu 100")
	TestRseq(t)
	succeed(t, preload, program("parallel"), "2", "200")
	succeed(t, preload, program("futexop"), "50000")
	succeed(t, preload, program("coherence"), "munmap", "1", "60")
	for range 50 {
		killOnce(t, 0)
	}
}
