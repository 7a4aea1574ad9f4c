package job

import (
	"slices"
	"strconv"

	"apkern/internal/bench"
)

// Units that are measured. In Bochs a cycle is an instruction.
const (
	UnitWhole    = "cycles"          // a command, or several, from the start to the end of all
	UnitParallel = "parallel-cycles" // of that, the part of a program that has threads
	UnitCall     = "least-cycles/op" // a system call, where nothing comes between
	UnitMean     = "cycles/op"       // with what does
)

// Threads of the parallel programs, as in the original's evaluation.
const Threads = 8

// Ours are the programs that say where they were, and what they came to.
var Ours = []string{"cycles", "radix", "fft", "lu"}

// Names of benchmarks.
const (
	Getpid  = "Getpid" // which application CPUs may answer
	Getppid = "Getppid"
	// Behind a call's: the policy decides whether the thread stays home; no call is
	// answered by application CPUs.
	PolicyOn, AnswerNone = "/policy=on", "/answer=none"

	Mix  = "Mix"
	Find = "Find"
	Gcc  = "Gcc"
	Gzip = "Gzip"
)

// parallel are the programs with threads. They stand for those of SPLASH-2.
var parallel = []struct{ name, program string }{{"Radix", "radix"}, {"FFT", "fft"}, {"LU", "lu"}}

// Benchmarks is all that is measured, in its order.
func Benchmarks() []bench.Benchmark {
	list := []bench.Benchmark{
		call(Getpid, "getpid"), call(Getpid+AnswerNone, "getpid"), call(Getppid, "getppid"),
		policy(call(Getppid+PolicyOn, "getppid", "40", "1000")),
	}
	var mix []string
	add := func(b bench.Benchmark) {
		list = append(list, policy(b))
		mix = append(append(mix, "--"), b.Argv...)
	}
	for _, p := range parallel {
		add(bench.Benchmark{Name: p.name, About: "a program with threads", Threads: Threads,
			Argv: []string{p.program, strconv.Itoa(Threads)}})
	}
	for _, b := range []bench.Benchmark{
		{Name: Find, About: "find searches a thousand files in memory",
			Argv: []string{"find", ScratchDir + "/" + bench.ScratchTree, "-type", "f", "-name", "*7*", "-size", "-9"}},
		{Name: Gcc, About: "gcc's cc1 compiles radix.c, preprocessed",
			Argv: []string{"cc1", "-quiet", "-O1", "-fpreprocessed", SourceFile, "-o", "-"}},
		{Name: Gzip, About: "gzip compresses a megabyte",
			Argv: []string{"gzip", "-n", "-c", ScratchDir + "/" + bench.ScratchText}},
	} {
		add(b)
	}
	list = append(list, policy(bench.Benchmark{Name: Mix, About: "all six programs, started at the same time", Argv: mix[1:]}))
	for i := range list {
		if list[i].Unit == "" {
			list[i].Unit = UnitWhole
		}
		list[i].Group = "evaluation"
		list[i].Adoption = bench.ByChild
	}
	return list
}

func call(name string, args ...string) bench.Benchmark {
	return bench.Benchmark{Name: name, About: "a system call", Unit: UnitCall, Argv: append([]string{"cycles"}, args...)}
}

// policy lets the module's policy, which is on by default, decide.
func policy(b bench.Benchmark) bench.Benchmark {
	b.Policy = true
	return b
}

// Commands are those that a benchmark starts together.
func Commands(b *bench.Benchmark) [][]string {
	var list [][]string
	for args := b.Argv; ; {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(list, args)
		}
		list = append(list, args[:i])
		args = args[i+1:]
	}
}
