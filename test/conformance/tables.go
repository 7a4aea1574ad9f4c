package main

import (
	"strconv"
	"time"
)

// listed is a suite of programs for `conformance each`; a script beside this file
// wrote the list. So many jobs run at a time, each a minute at most.
func listed(group, name string, jobs int, all time.Duration) suite {
	return suite{
		name:  group + "/" + name,
		argv:  []string{products("conformance"), "each", "1m", strconv.Itoa(jobs), products(group, name+".list")},
		limit: all,
		parse: parseLines, only: onlyNames,
	}
}

// posix is the Open POSIX Test Suite, split so that a machine runs some minutes.
func posix() []suite {
	var suites []suite
	for _, p := range []struct {
		name string
		jobs int
	}{
		{"threads", 4},
		{"signals", 4},
		{"time", 4},
		// These use names of the whole system, some the same.
		{"memory", 1},
		{"mqueue", 1},
		{"semaphores", 1},
		{"aio", 4},
		{"other", 4},
	} {
		suites = append(suites, listed("posix", p.name, p.jobs, 25*time.Minute))
	}
	return suites
}

// stress is stress-ng, a stressor a test, by classes. Its signal stressors are in
// class os, which has no class of their own.
func stress() []suite {
	var suites []suite
	for _, name := range []string{"cpu", "memory", "scheduler", "signal", "pipe", "vm", "os-1", "os-2"} {
		suites = append(suites, listed("stress", name, 4, 20*time.Minute))
	}
	return suites
}

// programs are scripts: each prints, test by test, what a program's output came to.
func programs() []suite {
	var suites []suite
	for _, p := range []struct {
		name  string
		limit time.Duration
	}{
		{"hackbench", 5 * time.Minute},
		{"cyclictest", 5 * time.Minute},
		{"sqlite", 5 * time.Minute},
		{"redis", 5 * time.Minute},
		{"nginx", 5 * time.Minute},
		{"postgres", 10 * time.Minute},
		{"java", 10 * time.Minute},
		{"node", 5 * time.Minute},
		{"gcc", 10 * time.Minute},
		{"mpi", 5 * time.Minute},
	} {
		suites = append(suites, suite{
			name:  "programs/" + p.name,
			argv:  []string{"sh", products("programs", p.name+".sh")},
			limit: p.limit,
			// Who ceases to be root cannot open the device: the library would say so.
			preload: p.name != "postgres",
			parse:   parseLines,
		})
	}
	return suites
}
