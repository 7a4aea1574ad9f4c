// Package bench has what the parts of apkern bench share: the benchmarks, and what
// is recorded of their runs.
//
//	runner  carries out a plan: starts programs, reads what they print, refuses runs
//	        that were not where they should be
//	store   the directory of samples
//	stat    pairs, medians, intervals, comparisons
//	report  the table and the page
//
// A benchmark runs on two sides, natively and adopted by apkern, one after the other
// in the same boot: a pair. Only the ratio of a pair means something elsewhere, since
// absolute times under emulation depend on what else the host does.
package bench

import "time"

// Side is where a benchmark runs.
type Side string

const (
	Native  Side = "native"
	Adopted Side = "adopted"
)

// Sides are all there are.
var Sides = []Side{Native, Adopted}

// Adoption is how a program becomes adopted.
type Adoption string

const (
	ByRun   Adoption = "run"   // apkern run
	ByChild Adoption = "child" // the programs that it starts, by the startup library
	BySelf  Adoption = "self"  // some of its threads ask the module
)

// Scratch stands in arguments for the directory of files that benchmarks use.
const Scratch = "{scratch}"

// Benchmark is something that is measured on both sides.
type Benchmark struct {
	Name    string `json:"name"` // as the Go benchmark format has it: Getppid/policy=off
	Group   string `json:"group"`
	About   string `json:"about"`
	Unit    string `json:"unit"`              // what is compared; less is better
	Threads int    `json:"threads,omitempty"` // for speed-up: how many threads share the work

	// Program with arguments; a name without a slash lies in the directory of programs.
	Argv []string `json:"argv"`
	// Another command for the native side; nil: the same.
	NativeArgv []string `json:"native_argv,omitempty"`
	Adoption   Adoption `json:"adoption"`
	// Policy lets the module's policy decide whether threads stay home: then they
	// must have been adopted, else nearly all passes must be away.
	Policy bool     `json:"policy"`
	Needs  string   `json:"needs,omitempty"`  // a program that must be installed
	Output []string `json:"output,omitempty"` // files in the scratch directory that must be the same on both sides
}

// Command is the benchmark's command for a side.
func (b *Benchmark) Command(s Side) []string {
	if s == Native && b.NativeArgv != nil {
		return b.NativeArgv
	}
	return b.Argv
}

// Plan is what is to be measured, or was.
type Plan struct {
	Benchmarks []Benchmark   `json:"benchmarks"`
	Count      int           `json:"count"`     // pairs of each
	Programs   string        `json:"programs"`  // their directory
	Limit      time.Duration `json:"limit"`     // of one run, ns
	Version    string        `json:"version"`   // of the command
	Begun      time.Time     `json:"begun"`     // by the clock of the machine that the command ran on
	HostCPUs   int           `json:"host_cpus"` // of that machine
	Place      string        `json:"place"`     // "vm", "here"
}

// Environment is the machine that the runs were made on.
type Environment struct {
	Kernel      string            `json:"kernel"`         // release
	Version     string            `json:"kernel_version"` // how it was built
	CPU         string            `json:"cpu"`            // model
	Home        []int             `json:"home_cpus"`
	Application []int             `json:"application_cpus"`
	APICs       []uint64          `json:"apic_ids"`   // of the application CPUs
	Hypervisor  string            `json:"hypervisor"` // as CPUID names it; "": none
	Build       string            `json:"build"`      // of the application kernel
	Parameters  map[string]string `json:"parameters"` // of the module
}

// Emulator names the hypervisor for people.
func (e *Environment) Emulator() string {
	switch e.Hypervisor {
	case "":
		return "none"
	case "TCGTCGTCGTCG":
		return "QEMU TCG"
	case "KVMKVMKVM":
		return "KVM"
	}
	return e.Hypervisor
}

// Run is one run of a program.
type Run struct {
	Benchmark string             `json:"benchmark"`
	Side      Side               `json:"side"`
	Pair      int                `json:"pair"`              // from 0; with Benchmark it names the pair
	First     bool               `json:"first"`             // of its pair
	Ops       int64              `json:"ops,omitempty"`     // that the values are means of
	Values    map[string]float64 `json:"values,omitempty"`  // by unit
	Seen      map[uint64]int64   `json:"seen,omitempty"`    // passes by APIC id
	Visits    int64              `json:"visits,omitempty"`  // that the module counted meanwhile
	Threads   int64              `json:"threads,omitempty"` // likewise, that it adopted
	Gaps      []float64          `json:"gaps,omitempty"`    // interruptions, ns
	Result    string             `json:"result,omitempty"`  // must not differ
	Error     string             `json:"error,omitempty"`   // then the run counts for nothing
}

// Skip is a benchmark that was not run, and why.
type Skip struct {
	Benchmark string `json:"benchmark"`
	Reason    string `json:"reason"`
}

// Record is one line of samples: exactly one field is set.
type Record struct {
	Plan        *Plan        `json:"plan,omitempty"`
	Environment *Environment `json:"environment,omitempty"`
	Skip        *Skip        `json:"skip,omitempty"`
	Run         *Run         `json:"run,omitempty"`
	Error       string       `json:"error,omitempty"` // why nothing, or nothing more, was run
}
