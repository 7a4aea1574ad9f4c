//go:build metal

package cpu

import "unsafe"

// ReadMSR is RDMSR. A register the processor does not have faults.
//
//go:noescape
func ReadMSR(msr uint32) uint64

// WriteMSR is WRMSR. A register or value the processor does not have faults.
//
//go:noescape
func WriteMSR(msr uint32, v uint64)

// ReadCR2 returns the address of the last page fault.
//
//go:noescape
func ReadCR2() uint64

// WriteCR3 loads a top-level table and flushes all translations but global
// ones, paging-structure caches included (SDM 3, section 4.10.4.1).
//
//go:noescape
func WriteCR3(v uint64)

// ReadDR6 returns the debug status.
//
//go:noescape
func ReadDR6() uint64

// WriteDR6 sets the debug status; the processor never clears it itself.
//
//go:noescape
func WriteDR6(v uint64)

// ReadTSC is RDTSC, ordered after all earlier loads.
//
//go:noescape
func ReadTSC() uint64

// CPUID is CPUID with leaf and sub-leaf.
//
//go:noescape
func CPUID(leaf, sub uint32) (a, b, c, d uint32)

// WriteXCR0 is XSETBV of XCR0; CR4.OSXSAVE must be set.
//
//go:noescape
func WriteXCR0(v uint64)

// WritePKRU sets the protection-key rights; CR4.PKE must be set.
//
//go:noescape
func WritePKRU(v uint32)

// ReadGSBase is RDGSBASE: the user's, as the application kernel does not use GS.
//
//go:noescape
func ReadGSBase() uint64

// Selectors returns the data segment selectors, which are always the user's.
//
//go:noescape
func Selectors() (ds, es, fs, gs uint32)

// XSave loads XMM0-15 from xmm and stores the extended state selected by mask
// in standard format at area, which is 64-byte aligned. The header is cleared
// first: XSAVE leaves header bits outside the mask as they are.
//
//go:noescape
func XSave(xmm *[16][2]uint64, area unsafe.Pointer, mask uint64)

// MMIORead32 is one 32-bit load.
//
//go:noescape
func MMIORead32(p *uint32) uint32

// MMIOWrite32 is one 32-bit store.
//
//go:noescape
func MMIOWrite32(p *uint32, v uint32)

// InvalidatePage is INVLPG.
//
//go:noescape
func InvalidatePage(p unsafe.Pointer)

// LoadTables loads GDT and IDT from the 10-byte operands of LGDT and LIDT, then
// the kernel code segment (selector 0x10), null data segments, a null LDT and
// the task register (selector 0x40).
//
//go:noescape
func LoadTables(gdt, idt unsafe.Pointer)

// InitFPU is FNINIT and LDMXCSR.
//
//go:noescape
func InitFPU(mxcsr uint32)

// Pause is PAUSE, for loops that wait.
func Pause()

// Fence orders all earlier stores before what follows, MSR writes that send
// interrupts included (SDM 3, section 11.12.3).
func Fence()

// WaitInterrupt sleeps until an interrupt was taken: STI, HLT, CLI. An
// interrupt that is already pending ends the sleep at once.
func WaitInterrupt()

// Monitor arms MONITOR on the cache line of p.
//
//go:noescape
func Monitor(p unsafe.Pointer)

// WaitMonitor sleeps until the monitored line is written or an interrupt was
// taken: STI, MWAIT, CLI.
func WaitMonitor()

// FillRSB overwrites the return stack buffer, so that no return is predicted
// from what ran before.
func FillRSB()

// Stop halts for good with interrupts off. Machine checks and NMIs are still
// taken, and the processor halts again after them.
func Stop()
