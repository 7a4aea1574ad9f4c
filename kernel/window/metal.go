//go:build metal

package window

import (
	"sync/atomic"
	"unsafe"

	"apkern/abi"
	"apkern/kernel/cpu"
)

// unsafe.Add(nil, constant) folds to the constant.

// GetPrivate returns this CPU's own state.
func GetPrivate() *Private { return (*Private)(unsafe.Add(nil, abi.Window+abi.WinPrivate)) }

// UserFrame returns where a trap from user mode leaves the registers.
func UserFrame() *Frame { return (*Frame)(unsafe.Add(nil, abi.Window+int(UserFrameOff))) }

// DebugStack returns the top of the debug exception's stack.
func DebugStack() *DebugFrame {
	return (*DebugFrame)(unsafe.Add(nil, abi.Window+abi.WinISTDB+abi.WinISTSize-int(unsafe.Sizeof(DebugFrame{}))))
}

// Slot returns the mapped slot.
func Slot() *abi.Slot { return (*abi.Slot)(unsafe.Add(nil, abi.Window+abi.WinSlot)) }

// SlotFPU returns the mapped slot's XSAVE area.
func SlotFPU() unsafe.Pointer { return unsafe.Add(nil, abi.Window+abi.WinSlot+abi.SlotFPU) }

// Space returns the mapped address space.
func Space() *abi.Space { return (*abi.Space)(unsafe.Add(nil, abi.Window+abi.WinSpace)) }

// Top returns the user half of this CPU's user top-level table. The other half
// belongs to home.
func Top() *[abi.TopUser]uint64 {
	return (*[abi.TopUser]uint64)(unsafe.Add(nil, abi.Window+abi.WinTop))
}

// Config returns this CPU's configuration.
func Config() *abi.CPU { return (*abi.CPU)(unsafe.Add(nil, abi.Window+abi.WinCPU)) }

// Stat returns this CPU's counters.
func Stat() *abi.Stat { return (*abi.Stat)(unsafe.Add(nil, abi.Window+abi.WinStat)) }

// Log returns this CPU's log.
func Log() *abi.Log { return (*abi.Log)(unsafe.Add(nil, abi.Window+abi.WinLog)) }

// Global returns the region that home and all application CPUs share.
func Global() *abi.Global { return (*abi.Global)(unsafe.Add(nil, abi.Window+abi.WinGlobal)) }

// Bell returns where the doorbell goes, both words as one: home changes them
// together.
func Bell() (apicID, vector uint32) {
	v := atomic.LoadUint64((*uint64)(unsafe.Pointer(&Global().BellAPICID)))
	return uint32(v), uint32(v >> 32)
}

// APIC returns a local APIC register (offset in bytes), in xAPIC mode.
func APIC(reg uint32) *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Add(nil, abi.Window+abi.WinAPIC), uintptr(reg)))
}

// Hole returns an address that is mapped nowhere, for fault injection.
func Hole() *uint32 { return (*uint32)(unsafe.Add(nil, abi.Window)) }

// LineTable returns where the post-link tool's line table is, if there is one:
// the page is not mapped otherwise.
func LineTable() unsafe.Pointer { return unsafe.Add(nil, abi.Lines) }

// Address returns what the processor knows p as.
func Address(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

func mapPages(off, n int, phys, flags uint64) {
	table := (*[512]uint64)(unsafe.Add(nil, abi.Window+abi.WinPT))
	for i := range n {
		table[(off/abi.PageSize+i)&511] = (phys + uint64(i)*abi.PageSize) | flags
		cpu.InvalidatePage(unsafe.Add(unsafe.Add(nil, abi.Window), off+i*abi.PageSize))
	}
}
