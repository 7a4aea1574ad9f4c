package main

import "slices"

// row is one line of the matrix: a kernel, how it is booted, and the boots of
// test/run-vm.sh that are run with it.
type row struct {
	kernel  string // a directory of build/kernels, or up
	variant string // "": as it comes, on four CPUs
	flags   []string
	cpus    int // 0: four
	boots   []string
	absent  string // why this row cannot be run here
}

// Boots that every kernel runs, those for a variant, which cover what a variant
// can break (page tables, traps, the local APIC, starting CPUs), and those that
// lean on what Linux keeps of threads, groups and clocks: that differs between
// releases, not between flavours.
var (
	core    = []string{"programs", "away", "policy", "cpus", "signals", "coherence", "debuggers", "lifecycle", "crash"}
	changed = []string{"away", "signals", "lifecycle"}
	kept    = []string{"others", "semantics"}
)

var table = []row{
	{kernel: "up", boots: slices.Concat([]string{"nolock"}, core, kept)},
	{kernel: "6.1-amd64", boots: slices.Concat(core, kept)},
	{kernel: "6.1-rt", boots: core},
	{kernel: "6.1-cloud", boots: core},
	{kernel: "6.12-amd64", boots: slices.Concat(core, kept)},
	{kernel: "6.12-rt", boots: core},
	{kernel: "6.12-cloud", boots: core},

	{kernel: "up", variant: "page-table isolation", flags: []string{"--append=pti=on"}, boots: changed},
	{kernel: "6.1-amd64", variant: "page-table isolation", flags: []string{"--append=pti=on"}, boots: changed},
	{kernel: "6.12-amd64", variant: "page-table isolation", flags: []string{"--append=pti=on"}, boots: changed},
	{kernel: "6.1-amd64", variant: "no isolation", flags: []string{"--append=nopti"}, boots: []string{"signals"}},
	{kernel: "6.12-amd64", variant: "no isolation", flags: []string{"--append=nopti"}, boots: []string{"signals"}},

	{kernel: "up", variant: "5-level page tables", boots: []string{"5-level"}},
	{kernel: "6.1-amd64", variant: "5-level page tables", boots: []string{"5-level"}},
	{kernel: "6.12-amd64", variant: "5-level page tables", boots: []string{"5-level"}},
	{kernel: "6.12-rt", variant: "5-level page tables", boots: []string{"5-level"}},

	{kernel: "6.1-amd64", variant: "x2APIC", absent: "QEMU emulates x2APIC in software only from version 9 on"},

	{kernel: "6.1-amd64", variant: "2 CPUs", cpus: 2, boots: []string{"signals", "lifecycle"}},
	{kernel: "6.12-amd64", variant: "2 CPUs", cpus: 2, boots: []string{"signals", "lifecycle"}},
	{kernel: "6.1-amd64", variant: "3 CPUs", cpus: 3, boots: []string{"signals", "away"}},
	{kernel: "up", variant: "8 CPUs", cpus: 8, boots: []string{"away", "lifecycle"}},
	{kernel: "6.1-amd64", variant: "8 CPUs", cpus: 8, boots: []string{"away", "lifecycle"}},
	{kernel: "6.12-amd64", variant: "8 CPUs", cpus: 8, boots: []string{"away", "lifecycle"}},
	{kernel: "6.1-amd64", variant: "32 CPUs", cpus: 32, boots: []string{"interface", "lifecycle"}},
	{kernel: "up", variant: "32 CPUs", cpus: 32, boots: []string{"interface", "lifecycle"}},
}
