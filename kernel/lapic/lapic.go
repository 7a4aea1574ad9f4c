// Package lapic drives this CPU's local APIC (SDM 3, chapter 11), in the mode
// home runs its own in: registers in memory (xAPIC) or MSRs (x2APIC). All
// functions run with interrupts off.
package lapic

import (
	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/stat"
	"apkern/kernel/window"
)

// Registers: offsets in the xAPIC page.
const (
	regID       = 0x20
	regVersion  = 0x30
	regTPR      = 0x80
	regEOI      = 0xb0
	regSVR      = 0xf0
	regLVTCMCI  = 0x2f0
	regICR      = 0x300
	regICRHigh  = 0x310 // xAPIC only
	regLVTTimer = 0x320
	regLVTTherm = 0x330
	regLVTPerf  = 0x340
	regLVTLint0 = 0x350
	regLVTLint1 = 0x360
	regLVTError = 0x370
	regTimerSet = 0x380
	regTimerNow = 0x390
	regTimerDiv = 0x3e0
)

const (
	svrEnable   = 1 << 8
	lvtMasked   = 1 << 16
	icrBusy     = 1 << 12
	divideByOne = 0xb
)

// Enable switches the local APIC on in home's mode, with every local
// interrupt masked, and returns its id.
func Enable() uint32 {
	c := window.Config()
	if cpu.ReadMSR(cpu.MSRAPICBase) != c.APICBase {
		cpu.WriteMSR(cpu.MSRAPICBase, c.APICBase)
	}
	maskLocal()
	write(regTPR, 0)
	write(regSVR, svrEnable|abi.VecSpurious)
	if x2apic() {
		return read(regID)
	}
	return read(regID) >> 24
}

// maskLocal masks what the local vector table has: touching an entry that the
// processor lacks faults in x2APIC mode.
func maskLocal() {
	last := read(regVersion) >> 16 & 0xff
	write(regLVTTimer, lvtMasked|abi.VecTimer)
	write(regLVTLint0, lvtMasked)
	write(regLVTLint1, lvtMasked)
	write(regLVTError, lvtMasked|abi.VecSpurious)
	if last >= 4 {
		write(regLVTPerf, lvtMasked)
	}
	if last >= 5 {
		write(regLVTTherm, lvtMasked)
	}
	if last >= 6 {
		write(regLVTCMCI, lvtMasked)
	}
}

// EOI acknowledges the interrupt in service.
func EOI() { write(regEOI, 0) }

// Send sends a fixed interrupt to the CPU with that APIC id. What was written
// to memory before is visible to its handler.
func Send(apicID, vector uint32) {
	if x2apic() {
		cpu.Fence() // an MSR write of the APIC does not wait for earlier stores
		cpu.WriteMSR(cpu.MSRX2APIC+regICR/16, uint64(apicID)<<32|uint64(vector))
		return
	}
	for read(regICR)&icrBusy != 0 {
		cpu.Pause()
	}
	write(regICRHigh, apicID<<24)
	write(regICR, vector)
}

// RingBell sends home the doorbell interrupt.
func RingBell() {
	id, vector := window.Bell()
	stat.Inc(abi.CBell)
	Send(id, vector)
}

func x2apic() bool { return window.Config().Features&abi.FX2APIC != 0 }

func read(reg uint32) uint32 {
	if x2apic() {
		return uint32(cpu.ReadMSR(cpu.MSRX2APIC + reg/16))
	}
	return cpu.MMIORead32(window.APIC(reg))
}

func write(reg, v uint32) {
	if x2apic() {
		cpu.WriteMSR(cpu.MSRX2APIC+reg/16, uint64(v))
		return
	}
	cpu.MMIOWrite32(window.APIC(reg), v)
}
