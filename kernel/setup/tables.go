package setup

import (
	"unsafe"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

// Entries of the GDT (SDM 3, section 3.4.5). User selectors are Linux's; there
// is no 32-bit user code segment, so that compatibility mode is a fault.
const (
	gdtKernelCS = 2
	gdtKernelDS = 3
	gdtUserDS   = 5
	gdtUserCS   = 6
	gdtTSS      = 8  // two entries
	gdtCPU      = 15 // its limit is the CPU number, for LSL in Linux's vDSO

	kernelCS = gdtKernelCS << 3
	kernelDS = gdtKernelDS << 3

	descKernelCS = 0x00af9b000000ffff
	descKernelDS = 0x00cf93000000ffff
	descUserDS   = 0x00cff3000000ffff
	descUserCS   = 0x00affb000000ffff
	descCPU      = 0x0040f50000000000 // limit to be filled in
	tssPresent   = 0x89 << 40         // available 64-bit TSS
	tssBytes     = window.TSSWords * 4
	gateAttr     = 0x8e // present, DPL 0, interrupt gate
)

// Interrupt stacks (TSS.IST1 and following).
const (
	istNone = iota
	istDoubleFault
	istNMI
	istMachineCheck
	istDebug
)

// Vectors with a stack of their own.
const (
	vecDebug        = 1
	vecNMI          = 2
	vecDoubleFault  = 8
	vecMachineCheck = 18
)

// gate is an IDT entry (SDM 3, section 6.14.1).
type gate struct {
	offset0  uint16
	selector uint16
	ist      uint8
	attr     uint8
	offset1  uint16
	offset2  uint32
	_        uint32
}

// idt is one for all CPUs; every CPU writes the same values.
var idt [256]gate

// tableOperand is the operand of LGDT and LIDT, from limit on.
type tableOperand struct {
	_     [3]uint16
	limit uint16
	base  uint64
}

func (t *tableOperand) pointer() unsafe.Pointer { return unsafe.Pointer(&t.limit) }

func loadTables(p *window.Private, e *Entries) {
	fillGDT(&p.GDT, window.Address(unsafe.Pointer(&p.TSS)), window.Config().LinuxCPU)
	fillTSS(&p.TSS)
	for v := range idt {
		idt[v] = gateFor(v, e)
	}
	g := tableOperand{limit: window.GDTEntries*8 - 1, base: window.Address(unsafe.Pointer(&p.GDT))}
	i := tableOperand{limit: uint16(unsafe.Sizeof(idt)) - 1, base: window.Address(unsafe.Pointer(&idt))}
	cpu.LoadTables(g.pointer(), i.pointer())
}

func fillGDT(gdt *[window.GDTEntries]uint64, tss uint64, linuxCPU uint32) {
	n := uint64(linuxCPU) // node 0: arch/x86/include/asm/segment.h, vdso_encode_cpunode
	gdt[gdtKernelCS] = descKernelCS
	gdt[gdtKernelDS] = descKernelDS
	gdt[gdtUserDS] = descUserDS
	gdt[gdtUserCS] = descUserCS
	gdt[gdtTSS] = tssBytes - 1 | tss&0xffffff<<16 | tssPresent | tss>>24&0xff<<56
	gdt[gdtTSS+1] = tss >> 32
	gdt[gdtCPU] = descCPU | n&0xffff | n>>16&0xf<<48
}

// fillTSS sets the stacks: RSP0 at byte 4, IST1 at byte 36, the I/O permission
// map beyond the limit (SDM 3, section 8.7).
func fillTSS(tss *[window.TSSWords]uint32) {
	setStack(tss, 1, abi.WinStackTop)
	setStack(tss, 7+2*istDoubleFault, abi.WinISTDF+abi.WinISTSize)
	setStack(tss, 7+2*istNMI, abi.WinISTNMI+abi.WinISTSize)
	setStack(tss, 7+2*istMachineCheck, abi.WinISTMC+abi.WinISTSize)
	setStack(tss, 7+2*istDebug, abi.WinISTDB+abi.WinISTSize)
	tss[window.TSSWords-1] = tssBytes << 16
}

func setStack(tss *[window.TSSWords]uint32, word int, windowOffset uint64) {
	const base uint64 = 1<<64 + abi.Window
	tss[word] = uint32(base + windowOffset)
	tss[word+1] = uint32((base + windowOffset) >> 32)
}

// gateFor returns the gate of a vector. All are for ring 0: INT from user mode
// faults at the instruction.
func gateFor(vector int, e *Entries) gate {
	at, ist := e.Stubs+uint64(vector)*StubSize, uint8(istNone)
	switch vector {
	case vecDebug:
		at, ist = e.Debug, istDebug
	case vecNMI:
		at, ist = e.NMI, istNMI
	case vecDoubleFault:
		at, ist = e.DoubleFault, istDoubleFault
	case vecMachineCheck:
		at, ist = e.MachineCheck, istMachineCheck
	}
	return gate{
		offset0: uint16(at), offset1: uint16(at >> 16), offset2: uint32(at >> 32),
		selector: kernelCS, ist: ist, attr: gateAttr,
	}
}
