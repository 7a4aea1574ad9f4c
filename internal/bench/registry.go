package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Groups of benchmarks, in the order of reports.
const (
	GroupCall    = "call"
	GroupSync    = "sync"
	GroupMemory  = "memory"
	GroupProcess = "process"
	GroupCompute = "compute"
	GroupNoise   = "noise"
	GroupProgram = "program"
)

// Units that benchmarks print.
const (
	UnitTime = "ns/op"
	UnitLost = "lost-ns/s" // a second's part that something else took
)

// All returns the benchmarks for a machine with so many application CPUs.
func All(cpus int) []Benchmark {
	all := slices.Concat(calls(), threads(), memory(cpus), processes(), compute(cpus), noise(), programs())
	for i := range all {
		if all[i].Unit == "" {
			all[i].Unit = UnitTime
		}
		if all[i].Adoption == "" {
			all[i].Adoption = ByRun
		}
	}
	return all
}

func calls() []Benchmark {
	call := func(name, call, about string) Benchmark {
		return Benchmark{Name: name, Group: GroupCall, About: about, Argv: []string{"call", call}}
	}
	list := []Benchmark{
		call("Getppid/policy=off", "getppid", "a system call from away: home, answered there, and away again"),
		call("Getppid/policy=on", "getppid", "the same where the policy keeps such threads at home"),
		call("Getpid", "getpid", "a call that is answered on the spot"),
		call("ClockGettime", "clock_gettime", "a call that the vDSO would answer, made all the same"),
		call("SchedYield", "sched_yield", "a call that is answered on the spot"),
		call("Getcpu", "getcpu", "a call that is answered on the spot; not by the vDSO"),
	}
	// Long enough that what the policy needs to find out does not count.
	list[1].Policy, list[1].Argv = true, []string{"call", "getppid", "20", "5000"}
	return list
}

func threads() []Benchmark {
	return []Benchmark{
		{Name: "FutexHandover", Group: GroupSync, About: "a token from one thread to another by futexes, each on its own CPU", Argv: []string{"handover"}},
		{Name: "ThreadCreate/policy=off", Group: GroupSync, About: "a thread is created and joined; it leaves at once", Argv: []string{"threads"}},
		{Name: "ThreadCreate/policy=on", Group: GroupSync, About: "the same where the policy says whether it leaves", Argv: []string{"threads"}, Policy: true},
	}
}

func memory(cpus int) []Benchmark {
	list := []Benchmark{
		{Name: "FirstTouch", Group: GroupMemory, About: "the first write to a page of anonymous memory", Argv: []string{"touch"}},
	}
	// Natively nobody else spins: on one CPU the main thread would wait for it.
	for _, call := range []string{"mprotect", "munmap"} {
		for _, away := range slices.Compact([]int{min(1, cpus), cpus}) {
			list = append(list, Benchmark{
				Name: fmt.Sprintf("%s%s/away=%d", strings.ToUpper(call[:1]), call[1:], away), Group: GroupMemory,
				About:    call + " by a thread at home while others of its process are away; natively alone",
				Argv:     []string{"flush", call, strconv.Itoa(away)},
				Adoption: BySelf, NativeArgv: []string{"flush", call, "0"},
			})
		}
	}
	return list
}

func processes() []Benchmark {
	return []Benchmark{
		{Name: "ForkExec/true", Group: GroupProcess, About: "fork, exec of true, wait; all of it adopted", Argv: []string{"spawn", "5", "true"}, Policy: true},
		{Name: "Startup/ls", Group: GroupProcess, About: "ls from its start to its end, adopted by the startup library",
			Argv: []string{"spawn", "5", "ls", "/"}, Adoption: ByChild, Policy: true},
	}
}

func compute(cpus int) []Benchmark {
	var list []Benchmark
	for _, n := range steps(cpus) {
		list = append(list, Benchmark{
			Name: fmt.Sprintf("Compute/threads=%d", n), Group: GroupCompute, Threads: n,
			About:      "arithmetic shared by threads; natively by one thread",
			Argv:       []string{"compute", strconv.Itoa(n)},
			NativeArgv: []string{"compute", "1"},
		})
	}
	return list
}

// steps are numbers of threads up to n: each up to eight, then twice as many, and n.
func steps(n int) []int {
	var list []int
	for i := 1; i < n; {
		list = append(list, i)
		if i < 8 {
			i++
		} else {
			i *= 2
		}
	}
	return append(list, n)
}

func noise() []Benchmark {
	return []Benchmark{{
		Name: "Interruptions", Group: GroupNoise, Unit: UnitLost,
		About: "time that something else took from a thread that computes", Argv: []string{"gaps"},
	}}
}

// Names in the scratch directory, which package runner fills.
const (
	ScratchText   = "text"    // to compress
	ScratchTree   = "tree"    // to search
	ScratchSource = "hello.c" // to compile
)

func programs() []Benchmark {
	list := []Benchmark{
		{Name: "Gzip", About: "gzip compresses a megabyte", Needs: "gzip",
			Argv: []string{"gzip", "-n", "-c", Scratch + "/" + ScratchText}},
		{Name: "Find", About: "find searches a thousand files in memory", Needs: "find",
			Argv: []string{"find", Scratch + "/" + ScratchTree, "-type", "f", "-name", "*7*", "-size", "-9"}},
		{Name: "Gcc", About: "gcc compiles hello.c", Needs: "gcc",
			Argv: []string{"gcc", "-c", "-o", Scratch + "/hello.o", Scratch + "/" + ScratchSource}, Output: []string{"hello.o"}},
	}
	for i := range list {
		b := &list[i]
		b.Group, b.Adoption, b.Policy = GroupProgram, ByChild, true
		out := strings.ToLower(b.Name) + ".out"
		b.Output = append(b.Output, out)
		b.Argv = append([]string{"spawn", "-o", Scratch + "/" + out, "1"}, b.Argv...)
	}
	return list
}

// Select returns those of all that have one of these names, or begin with it and a
// slash, or are of a group of that name; all when there are no names.
func Select(all []Benchmark, names []string) ([]Benchmark, error) {
	if len(names) == 0 {
		return all, nil
	}
	chosen := make([]bool, len(all))
	for _, name := range names {
		found := false
		for i, b := range all {
			base, _, _ := strings.Cut(b.Name, "/")
			if slices.Contains([]string{b.Name, base, b.Group}, name) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no benchmark and no group %q; apkern bench list shows them", name)
		}
	}
	var list []Benchmark
	for i, b := range all {
		if chosen[i] {
			list = append(list, b)
		}
	}
	return list, nil
}
