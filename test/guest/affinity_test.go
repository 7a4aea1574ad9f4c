package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// usable returns how many CPUs a program can use natively, and how many away.
func usable(t *testing.T) (native, adopted int) {
	t.Helper()
	native = runtime.NumCPU() // this test is not adopted
	return native, native + len(cpuList(t, "cpus"))
}

// TestAffinity: the CPUs that are shown can be chosen, and a choice is obeyed at
// once, whatever the policy says.
func TestAffinity(t *testing.T) {
	begin(t)
	n, all := usable(t)
	if o := run(t, native, command{argv: []string{program("affinity"), strconv.Itoa(n)}}); o.Status != 0 {
		t.Fatalf("natively: status %d: %s", o.Status, o.Stderr)
	}
	for _, stay := range []string{"0", "1"} {
		t.Run("stay="+stay, func(t *testing.T) {
			setParameter(t, "stay", stay)
			for _, w := range []way{preload, viaRun} {
				succeed(t, w, program("affinity"), strconv.Itoa(all))
			}
		})
	}
}

// TestCPUCounts: what programs and libraries take for the number of processors is
// what an adopted program can use, and within a mask it is the mask's.
func TestCPUCounts(t *testing.T) {
	begin(t)
	n, all := usable(t)
	one := strconv.Itoa(cpuList(t, "cpus")[0])
	python := []string{"python3", "-c", "import os; print(os.cpu_count(), len(os.sched_getaffinity(0)))"}
	for _, c := range []struct {
		name            string
		argv            []string
		native, adopted string
	}{
		{"nproc", []string{"nproc"}, fmt.Sprintln(n), fmt.Sprintln(all)},
		{"getconf", []string{"getconf", "_NPROCESSORS_ONLN"}, fmt.Sprintln(n), fmt.Sprintln(all)},
		{"python", python, fmt.Sprintln(n, n), fmt.Sprintln(all, all)},
		{"go", []string{program("gospin"), "count"}, fmt.Sprintln(n), fmt.Sprintln(all)},
		{"taskset", []string{"taskset", "-c", one, "nproc"}, "", "1\n"},
		{"adopted twice", []string{"taskset", "-c", one, "env", preload.env[1], "nproc"}, "", "1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if o := run(t, native, command{argv: c.argv}); o.Stdout != c.native {
				t.Errorf("natively %q, not %q: %s", o.Stdout, c.native, o.Stderr)
			}
			if o := run(t, viaRun, command{argv: c.argv}); o.Stdout != c.adopted {
				t.Errorf("adopted %q, not %q: %s", o.Stdout, c.adopted, o.Stderr)
			}
		})
	}
}

// TestOpenMP: a thread for each CPU, and each bound to its own.
func TestOpenMP(t *testing.T) {
	begin(t)
	_, all := usable(t)
	list := "{0}"
	for _, cpu := range cpuList(t, "cpus") {
		list += fmt.Sprintf(",{%d}", cpu)
	}
	for _, places := range []string{list, "threads", "cores"} {
		t.Run(places, func(t *testing.T) {
			if _, _, smp := linux(t); !smp && places != list {
				t.Skip("a Linux without SMP has no device for other CPUs, whose topology OpenMP could read")
			}
			o := run(t, preload, command{
				argv: []string{program("openmp"), strconv.Itoa(all)},
				env:  []string{"OMP_PROC_BIND=true", "OMP_PLACES=" + places},
			})
			if o.Status != 0 {
				t.Errorf("status %d: %s", o.Status, o.Stderr)
			}
		})
	}
}

// TestCpuset: a thread that a cpuset confines to Linux's CPUs sees no others, gets
// none by asking, and leaves again when it is let out.
func TestCpuset(t *testing.T) {
	begin(t)
	if _, _, smp := linux(t); !smp {
		t.Skip("a Linux without SMP has no cpusets")
	}
	group := controlGroup(t, "cpuset")
	write(t, group, "cpuset.cpus", "0")
	one := strconv.Itoa(cpuList(t, "cpus")[0])
	inside := func(where, script string) outcome {
		return run(t, inGroup(preload, where), command{argv: []string{"sh", "-c", script}, env: []string{"AWAY_SECONDS=1"}})
	}
	parallel := "exec " + program("parallel") + " 1 50"
	if o := inside(group, "nproc"); o.Stdout != "1\n" {
		t.Errorf("%q CPUs are shown in a cpuset of one", o.Stdout)
	}
	if o := inside(group, "exec taskset -c "+one+" true"); o.Status == 0 {
		t.Errorf("CPU %s was given to a thread outside whose cpuset it is", one)
	}
	if o := inside(group, parallel); o.Status != statusNotAway {
		t.Errorf("in a cpuset of CPU 0: status %d, want %d: %s", o.Status, statusNotAway, o.Stderr)
	}
	root := filepath.Dir(group)
	if o := inside(root, parallel); o.Status != 0 {
		t.Errorf("in the root group: status %d: %s", o.Status, o.Stderr)
	}
	n, all := usable(t)
	for _, c := range []struct {
		way  way
		cpus int
	}{{native, n}, {preload, all}} {
		o := run(t, c.way, command{argv: []string{"cat", filepath.Join(root, "cpuset.cpus.effective")}})
		if cpus, err := parseList(strings.TrimSpace(o.Stdout)); err != nil || len(cpus) != c.cpus {
			t.Errorf("%s: the root cpuset has CPUs %q, not %d of them (%v)", c.way.name, o.Stdout, c.cpus, err)
		}
	}
}

// TestTopology: where application CPUs lie in the machine is shown while they are
// taken and as long as that, as Linux shows it for its own.
func TestTopology(t *testing.T) {
	begin(t)
	if _, _, smp := linux(t); !smp {
		t.Skip("a Linux without SMP has no device for other CPUs")
	}
	dir := func(cpu int) string { return fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology", cpu) }
	cpus := cpuList(t, "cpus")
	for _, cpu := range cpus {
		if s := readFile(t, dir(cpu)+"/core_cpus_list"); s != strconv.Itoa(cpu) {
			t.Errorf("CPU %d shares its core with %s", cpu, s)
		}
		if s, home := readFile(t, dir(cpu)+"/physical_package_id"), readFile(t, dir(0)+"/physical_package_id"); s != home {
			t.Errorf("CPU %d is in package %s, CPU 0 in %s", cpu, s, home)
		}
		if mask := readFile(t, dir(cpu)+"/core_cpus"); strings.TrimLeft(mask, "0") != fmt.Sprintf("%x", 1<<cpu) {
			t.Errorf("CPU %d has the core mask %s", cpu, mask)
		}
	}
	const node = "/sys/devices/system/node/node0/"
	shown := append(cpuList(t, "home_cpus"), cpus...)
	if got, err := parseList(readFile(t, node+"cpulist")); err != nil || !slices.Equal(got, shown) {
		t.Errorf("node 0 has the CPUs %v (%v), not %v", got, err, shown)
	}
	if mask := readFile(t, node+"cpumap"); strings.TrimLeft(mask, "0") != fmt.Sprintf("%x", 1<<len(shown)-1) {
		t.Errorf("node 0 has the mask %s, of CPUs %v", mask, shown)
	}
	mustUnload(t)
	if got := readFile(t, node+"cpulist"); got != readFile(t, "/sys/devices/system/cpu/online") {
		t.Errorf("node 0 has the CPUs %s after unloading", got)
	}
	for _, cpu := range cpus {
		if _, err := os.Stat(dir(cpu)); err == nil {
			t.Errorf("CPU %d is shown still after unloading", cpu)
		}
	}
	mustLoad(t, "")
}

// TestBarrier: membarrier restarts sequences of threads that are away, and orders
// their memory accesses: the CPU is interrupted once a call at the least.
func TestBarrier(t *testing.T) {
	begin(t)
	each(t, "barrier 500"+rseqMode(t))
	for _, c := range []struct {
		command string
		rounds  int
	}{{"private", 300}, {"sync-core", 300}, {"global-expedited", 300}, {"global", 20}} {
		t.Run(c.command, func(t *testing.T) {
			before := flushes(t)
			each(t, fmt.Sprintf("fence %s %d", c.command, c.rounds))
			if n := flushes(t) - before; n < int64(c.rounds) {
				t.Errorf("%d calls interrupted application CPUs %d times", c.rounds, n)
			}
		})
	}
}

// flushes counts the requests that application CPUs have answered.
func flushes(t *testing.T) int64 {
	t.Helper()
	var n int64
	for _, cpu := range cpuList(t, "cpus") {
		n += number(t, filepath.Join(sysfs, fmt.Sprintf("cpu%d", cpu), "counters", "flush"))
	}
	return n
}
