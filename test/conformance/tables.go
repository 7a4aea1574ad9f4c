package main

import "time"

// listed is a suite of programs for `conformance each`; a script beside this file
// wrote the list.
func listed(group, name string, limit, all time.Duration) suite {
	return suite{
		name:  group + "/" + name,
		argv:  []string{products("conformance"), "each", limit.String(), "4", products(group, name+".list")},
		limit: all,
		parse: parseLines, only: onlyNames,
	}
}

// posix is the Open POSIX Test Suite, split so that a machine runs some minutes.
func posix() []suite {
	var suites []suite
	for _, name := range []string{"threads", "signals", "time", "memory", "mqueue", "semaphores", "aio", "other"} {
		suites = append(suites, listed("posix", name, time.Minute, 25*time.Minute))
	}
	return suites
}

// stress is stress-ng, a stressor a test, by classes. Its signal stressors are in
// class os, which has no class of their own.
func stress() []suite {
	var suites []suite
	for _, name := range []string{"cpu", "memory", "scheduler", "signal", "pipe", "vm", "os-1", "os-2"} {
		suites = append(suites, listed("stress", name, time.Minute, 20*time.Minute))
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
