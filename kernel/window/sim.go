//go:build !metal

package window

import (
	"fmt"
	"unsafe"

	"apkern/abi"
	"apkern/kernel/cpu"
)

// SlotPages is a slot with its XSAVE area, as home allocates it.
type SlotPages struct {
	Slot abi.Slot
	_    [abi.SlotFPU - unsafe.Sizeof(abi.Slot{})]byte
	FPU  [abi.SlotFPUMax]byte
}

// Sim is the memory of one simulated application CPU.
type Sim struct {
	Private Private
	Frame   Frame
	Debug   DebugFrame
	Top     [abi.TopUser]uint64
	Config  abi.CPU
	Stat    abi.Stat
	Log     abi.Log
	Global  *abi.Global // shared by all of a machine's CPUs
	APIC    [abi.PageSize / 4]uint32
	Lines   []byte // the line table, nil: none

	slots  map[uint64]*SlotPages
	spaces map[uint64]*abi.Space
	slot   *SlotPages
	space  *abi.Space
}

// Current is the memory that the functions of this package return.
var Current = newSim(1)

// Reset makes a machine with that many application CPUs, of which the
// simulated one has index 0 and Linux number 1, and a processor as after
// reset.
func Reset(cpus int) *Sim {
	cpu.Machine = cpu.NewSim()
	Current = newSim(cpus)
	return Current
}

func newSim(cpus int) *Sim {
	s := &Sim{
		Global: &abi.Global{},
		slots:  map[uint64]*SlotPages{},
		spaces: map[uint64]*abi.Space{},
	}
	s.Config.LinuxCPU = 1
	s.Config.IdleTop, s.Config.UserTop = 0x1000, 0x2000
	s.Config.Features = abi.FX2APIC
	s.Global.Version = abi.HandoverVersion
	s.Global.Words = uint32(len(s.Global.Ready))
	s.Global.CPUs = uint32(cpus)
	s.Global.BellAPICID, s.Global.BellVector = 0, 0x55
	s.Private.Self = &s.Global.CPU[0]
	for i := range uint32(cpus) {
		s.Global.CPU[i].APICID = i + 1
		s.Global.CPU[i].LinuxCPU = i + 1
	}
	return s
}

// Other returns the memory of another CPU of the same machine, with that index. A
// test makes it Current to be that CPU.
func (s *Sim) Other(index uint32) *Sim {
	o := *s
	o.Private, o.Stat = Private{Self: &s.Global.CPU[index]}, abi.Stat{}
	o.Config.Index, o.Config.LinuxCPU = index, index+1
	return &o
}

// AddSlot gives the slot index pages, at a physical address made from the
// index, and lets it run on every CPU.
func (s *Sim) AddSlot(index uint32) *SlotPages {
	p := &SlotPages{}
	h := &s.Global.Head[index]
	h.Phys = 0x100000 + uint64(index)*abi.SlotPages*abi.PageSize
	h.CPUs = [abi.CPUWords]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	h.Weight = 1024
	s.slots[h.Phys] = p
	return p
}

// AddSpace gives the address space id a page and returns its physical address.
func (s *Sim) AddSpace(id uint64) (*abi.Space, uint64) {
	p, phys := &abi.Space{ID: id, Generation: 1}, 0x80000000+id*abi.PageSize
	s.spaces[phys] = p
	return p, phys
}

// GetPrivate returns this CPU's own state.
func GetPrivate() *Private { return &Current.Private }

// UserFrame returns where a trap from user mode leaves the registers.
func UserFrame() *Frame { return &Current.Frame }

// DebugStack returns the top of the debug exception's stack.
func DebugStack() *DebugFrame { return &Current.Debug }

// Slot returns the mapped slot; none mapped is a test failure.
func Slot() *abi.Slot { return &mappedSlot().Slot }

// SlotFPU returns the mapped slot's XSAVE area.
func SlotFPU() unsafe.Pointer { return unsafe.Pointer(&mappedSlot().FPU) }

func mappedSlot() *SlotPages {
	if Current.slot == nil {
		panic("the window's slot pages are used but not mapped")
	}
	return Current.slot
}

// Space returns the mapped address space; none mapped is a test failure.
func Space() *abi.Space {
	if Current.space == nil {
		panic("the window's space page is used but not mapped")
	}
	return Current.space
}

// Top returns the user half of this CPU's user top-level table.
func Top() *[abi.TopUser]uint64 { return &Current.Top }

// Config returns this CPU's configuration.
func Config() *abi.CPU { return &Current.Config }

// Stat returns this CPU's counters.
func Stat() *abi.Stat { return &Current.Stat }

// Log returns this CPU's log.
func Log() *abi.Log { return &Current.Log }

// Global returns the region that home and all application CPUs share.
func Global() *abi.Global { return Current.Global }

// Bell returns where the doorbell goes.
func Bell() (apicID, vector uint32) {
	return Current.Global.BellAPICID, Current.Global.BellVector
}

// APIC returns a local APIC register (offset in bytes), in xAPIC mode.
func APIC(reg uint32) *uint32 { return &Current.APIC[reg/4] }

// Hole returns an address that is mapped nowhere.
func Hole() *uint32 { return nil }

// LineTable returns the line table the test set up, nil: none.
func LineTable() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(Current.Lines)) }

// Address returns what the processor knows p as.
func Address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

func mapPages(off, n int, phys, flags uint64) {
	switch off {
	case abi.WinSlot:
		Current.slot = lookup(Current.slots, phys, "slot")
	case abi.WinSpace:
		Current.space = nil
		if flags&ptePresent != 0 {
			Current.space = lookup(Current.spaces, phys, "space")
		}
	}
}

func lookup[T any](pages map[uint64]*T, phys uint64, what string) *T {
	p := pages[phys]
	if p == nil {
		panic(fmt.Sprintf("no %s at physical address %#x", what, phys))
	}
	return p
}
