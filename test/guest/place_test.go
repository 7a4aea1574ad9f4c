package guest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

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
