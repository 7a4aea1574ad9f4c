// Package window is the application kernel's view of memory: typed pointers to
// what lies at fixed addresses in each application CPU's own top-level table
// (handover.h, APK_WIN_*). It is the only package that does address
// arithmetic.
//
// Every CPU sees its own pages at the same address, so there is no CPU index
// and no segment base to find them by. Without the build tag metal the same
// functions return ordinary memory that tests set up with Reset.
package window

import (
	"structs"
	"unsafe"

	"apkern/abi"
)

// Frame is what the trap entry leaves on the stack: the interrupted program's
// registers. FSBase is separate because Go code runs on a base of its own;
// the GS base is never touched. The upper halves of vector registers and the
// x87 state stay in the processor: compiled Go does not use them.
type Frame struct {
	_      structs.HostLayout
	XMM    [16][2]uint64
	FSBase uint64
	_      uint64 // keeps the stack aligned to 16 bytes
	Regs   abi.Regs
}

// DebugFrame is what a debug exception leaves at the top of its own stack before
// it moves to where all other traps leave theirs.
type DebugFrame [8]uint64

// FromUser says whether the frame was interrupted in user mode.
func (f *Frame) FromUser() bool { return f.Regs.CS&3 != 0 }

// Stage says where the registers of the thread on this CPU are, so that the
// fatal path knows what it may send home.
type Stage = uint32

// The stages of a visit, in their order.
const (
	StageNone    Stage = iota // no thread on this CPU
	StageClaimed              // in its slot, as home sent it
	StageUser                 // in the processor: user mode, or the few instructions before it
	StageFrame                // in the frame at the top of the trap stack
	StageCall                 // there, but the extended state is in the slot
)

// G is the part of runtime.g that compiled code looks at: the stack bounds.
// The runtime code that would look further is redirected to the fatal path.
type G struct {
	_           structs.HostLayout
	StackLo     uint64
	StackHi     uint64
	StackGuard0 uint64
	StackGuard1 uint64
	_           [124]uint64
}

// Private is this CPU's own state, zero at start. Nobody else maps it.
type Private struct {
	_        structs.HostLayout
	G        G
	TLS      uint64       // address of G; lies at -8(FS) while the application kernel runs
	UserSP   uint64       // scratch of the SYSCALL entry
	Self     *abi.CPUHead // this CPU's entry in the global region
	KernelDS uint64       // operand of VERW: a writable data segment's selector

	RestorePC  uint64 // of the XRSTOR that loads a thread's extended state
	Stage      Stage
	Failing    uint32 // the fatal path was entered
	SlotPhys   uint64 // of the slot mapped at WinSlot, 0: none yet
	LastSlot   uint32 // index + 1 of the last thread that ran here
	LastFrame  uint32 // index + 1 of the thread whose registers the user frame holds
	Alone      uint32 // nobody waited since Charged (kernel/sched)
	Charged    uint64 // TSC up to which the thread is charged, 0: no thread
	Level      uint64 // virtual run time of those that compete here
	LastOwner  uint64 // its owner tag
	SpecCtrl   uint64 // what IA32_SPEC_CTRL holds now
	Generation uint64 // of the copy of the loaded space's top entries
	TimerScale uint64 // local APIC timer ticks in 1<<TimerShift TSC cycles

	GDT [GDTEntries]uint64
	TSS [TSSWords]uint32
}

// Sizes of the tables in Private.
const (
	GDTEntries = 16
	TSSWords   = 26 // SDM 3, figure 8-11
	TimerShift = 20
)

// FrameSize is the size of a Frame; UserFrameOff is where in the window a trap
// from user mode leaves it.
const (
	FrameSize    = unsafe.Sizeof(Frame{})
	UserFrameOff = abi.WinStackTop - FrameSize
)

// One page is mapped for Private, and traps rely on an aligned frame.
const (
	_ = abi.PageSize - unsafe.Sizeof(Private{})
	_ = -(FrameSize % 16)
)

const (
	ptePresent  = 1 << 0
	pteWrite    = 1 << 1
	pteAccessed = 1 << 5
	pteDirty    = 1 << 6
	pteNoExec   = 1 << 63

	pteReadOnly  = ptePresent | pteAccessed | pteNoExec
	pteReadWrite = pteReadOnly | pteWrite | pteDirty
)

// MapSlot maps the slot at physical address phys. A slot stays mapped until
// another takes its place, because the thread usually comes back; nobody looks
// at it in between. Slot pages are never freed while a CPU runs.
func MapSlot(phys uint64) {
	if p := GetPrivate(); p.SlotPhys != phys {
		p.SlotPhys = phys
		mapPages(abi.WinSlot, abi.SlotPages, phys, pteReadWrite)
	}
}

// MapSpace maps the page at phys for Space.
func MapSpace(phys uint64) { mapPages(abi.WinSpace, 1, phys, pteReadOnly) }

// UnmapSpace takes that page away again: home frees it once no CPU has the
// address space loaded.
func UnmapSpace() { mapPages(abi.WinSpace, 1, 0, 0) }

// Self returns this CPU's entry in the global region.
func Self() *abi.CPUHead { return GetPrivate().Self }

// Head returns the public part of a slot. Indexes come from home and
// application kernels alone.
func Head(slot uint32) *abi.Head { return &Global().Head[slot%abi.MaxSlots] }

// CPU returns the entry of the CPU with that index in the global region.
func CPU(index uint32) *abi.CPUHead { return &Global().CPU[index%abi.MaxCPUs] }
