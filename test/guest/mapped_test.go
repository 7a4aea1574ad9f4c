package guest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"apkern/abi"
)

// Bits of page table entries (SDM 3, section 4.5).
const (
	pteWrite   = 1 << 1
	pteUser    = 1 << 2
	pteLarge   = 1 << 7
	pteNX      = 1 << 63
	pteAddress = 0x000ffffffffff000
)

// mapping is one page that is mapped in an upper half.
type mapping struct {
	at, entry uint64
	user      bool // all levels allow user mode
}

func (p mapping) phys() uint64 { return p.entry & pteAddress }

// upperHalf returns what a table and those below it map in the kernel's half.
func upperHalf(m *kernelMemory, top uint64, levels int) []mapping {
	var pages []mapping
	var walk func(table uint64, level int, at uint64, user bool)
	walk = func(table uint64, level int, at uint64, user bool) {
		b := m.physical(table, abi.PageSize)
		first := 0
		if level == levels {
			first = 256
		}
		for i := first; i < 512; i++ {
			e := binary.LittleEndian.Uint64(b[8*i:])
			if e&1 == 0 {
				continue
			}
			to := at | uint64(i)<<(12+9*(level-1))
			switch {
			case level == 1, e&pteLarge != 0:
				pages = append(pages, mapping{to, e, user && e&pteUser != 0})
			default:
				walk(e&pteAddress, level-1, to, user && e&pteUser != 0)
			}
		}
	}
	sign := uint64(0xffff) << 48
	if levels == 5 {
		sign = 0xfe << 56
	}
	walk(top&pteAddress, levels, sign, true)
	return pages
}

// areas are what may be mapped: docs/memory-layout.md.
var areas = []struct {
	name          string
	offset, pages int
	write         bool
}{
	{"private state", abi.WinPrivate, 1, true},
	{"trap stack", abi.WinStack, (abi.WinStackTop - abi.WinStack) / abi.PageSize, true},
	{"double fault stack", abi.WinISTDF, 1, true},
	{"NMI stack", abi.WinISTNMI, 1, true},
	{"machine check stack", abi.WinISTMC, 1, true},
	{"debug stack", abi.WinISTDB, 1, true},
	{"slot", abi.WinSlot, abi.SlotPages, true},
	{"space", abi.WinSpace, 1, false},
	{"window's table", abi.WinPT, 1, true},
	{"user top", abi.WinTop, 1, true},
	{"configuration", abi.WinCPU, 1, true},
	{"counters", abi.WinStat, 1, true},
	{"log", abi.WinLog, 1, true},
	{"global region", abi.WinGlobal, abi.WinGlobalMax / abi.PageSize, true},
	{"local APIC", abi.WinAPIC, 1, true},
}

// areaOf returns the name of what is mapped at an address; "" when nothing may be.
func areaOf(p mapping) string {
	const window, image, lines uint64 = 1<<64 + abi.Window, 1<<64 + abi.Image, 1<<64 + abi.Lines
	for _, a := range areas {
		if p.at-window-uint64(a.offset) < uint64(a.pages*abi.PageSize) && (a.write || p.entry&pteWrite == 0) {
			return a.name
		}
	}
	switch {
	case p.at-image < abi.ImageMax:
		return "image"
	case p.at-lines < lines-image && p.entry&pteWrite == 0:
		return "line table"
	}
	return ""
}

// onCPU returns the slot of the thread that runs on an application CPU, which must
// be the same before and after something was looked at; -1: none.
func onCPU(m *kernelMemory, index uint32) int { return int(m.global().CPU[index].Slot) - 1 }

// TestNothingElseMapped: while user mode runs on an application CPU, the kernel's half
// of its page tables has the application kernel's own pages, those of this thread's slot
// and nothing else: nothing of Linux, no other thread's registers, nothing for user mode,
// nothing both writable and executable.
func TestNothingElseMapped(t *testing.T) {
	begin(t)
	s := startSpinner(t, len(cpuList(t, "cpus")))
	m := openKernelMemory(t)
	for cpu, c := range m.configurations() {
		levels := 4
		if c.Features&abi.FLA57 != 0 {
			levels = 5
		}
		var pages []mapping
		slot := -1
		eventually(t, fmt.Sprintf("a thread stays on CPU %d for the look", cpu), func() (bool, string) {
			slot = onCPU(m, c.Index)
			pages = upperHalf(m, c.UserTop, levels)
			return slot >= 0 && onCPU(m, c.Index) == slot, "it is gone"
		})
		checkMappings(t, m, cpu, slot, pages)
	}
	s.alive()
	s.kill()
}

// TestNothingLeftOnStacks: what the thread before had in its registers is in none of the
// pages that are mapped while another one runs.
func TestNothingLeftOnStacks(t *testing.T) {
	begin(t)
	m := openKernelMemory(t)
	for cpu, c := range m.configurations() {
		on := fmt.Sprint(cpu)
		succeed(t, byItself, program("secret"), "leave", on)
		s := start(t, byItself, command{argv: []string{program("secret"), "spin", on}})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the next thread runs", func() (bool, string) {
			thread := cpuAttribute(t, cpu, "thread")
			return thread == fmt.Sprint(s.Process.Pid), "on the CPU is " + thread
		})
		levels := 4
		if c.Features&abi.FLA57 != 0 {
			levels = 5
		}
		for _, p := range upperHalf(m, c.UserTop, levels) {
			if name := areaOf(p); name != "local APIC" && p.entry&pteLarge == 0 && bytes.Contains(m.physical(p.phys(), abi.PageSize), secret) {
				t.Errorf("CPU %d: registers of the thread before are in %s at %#x", cpu, name, p.at)
			}
		}
		killGroup(s)
		_ = s.Wait() // it was killed
	}
}

// secret is what the program of that name has in its registers.
var secret = binary.LittleEndian.AppendUint64(nil, 0x5ec4e75ec4e75ec4)

func checkMappings(t *testing.T, m *kernelMemory, cpu, slot int, pages []mapping) {
	t.Helper()
	g, seen := m.global(), map[string]int{}
	slots := map[uint64]int{} // by physical address of each page
	for i, h := range g.Head {
		for p := range uint64(abi.SlotPages) {
			if h.Phys != 0 {
				slots[h.Phys+p*abi.PageSize] = i
			}
		}
	}
	for _, p := range pages {
		name := areaOf(p)
		seen[name]++
		owner, isSlot := slots[p.phys()]
		switch {
		case name == "":
			t.Errorf("CPU %d: %#x is mapped (%#x)", cpu, p.at, p.entry)
		case p.user:
			t.Errorf("CPU %d: user mode may use %s at %#x", cpu, name, p.at)
		case p.entry&pteWrite != 0 && p.entry&pteNX == 0:
			t.Errorf("CPU %d: %s at %#x is writable and executable", cpu, name, p.at)
		case isSlot != (name == "slot"):
			t.Errorf("CPU %d: %s at %#x is a page of slot %d: %v", cpu, name, p.at, owner, isSlot)
		case isSlot && owner != slot:
			t.Errorf("CPU %d: slot %d is mapped, and the thread of slot %d runs", cpu, owner, slot)
		}
	}
	for _, name := range []string{"slot", "trap stack", "image"} {
		if seen[name] == 0 {
			t.Errorf("CPU %d: %s is not mapped: this test looked at something else", cpu, name)
		}
	}
}

// TestSlotsAreCleared: what a thread left in its slot is gone when it is.
func TestSlotsAreCleared(t *testing.T) {
	begin(t)
	s := startSpinner(t, 3)
	m := openKernelMemory(t)
	filled := func() (n int) {
		for _, h := range m.global().Head {
			if h.Phys != 0 && len(bytes.Trim(m.physical(h.Phys, abi.SlotPages*abi.PageSize), "\x00")) > 0 {
				n++
			}
		}
		return n
	}
	eventually(t, "registers are in slots", func() (bool, string) {
		n := filled()
		return n >= 3, fmt.Sprintf("in %d", n)
	})
	s.alive()
	s.kill()
	settle(t)
	if n := filled(); n > 0 {
		t.Errorf("%d slots hold something that threads left", n)
	}
}
