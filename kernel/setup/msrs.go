package setup

import (
	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

const (
	// fmask is what SYSCALL clears in RFLAGS: Linux's mask
	// (arch/x86/kernel/cpu/common.c, syscall_init), which is every flag user
	// mode can set. NT left set would make the next IRETQ fault in ring 0.
	fmask = 0x257fd5

	// starUser is the base that SYSRET would add to; SYSCALL loads kernelCS
	// and the entry after it.
	starUser = 0x23
)

// loadMSRs takes home's values over. A CPU that Linux ran keeps its MSRs over
// INIT, so that everything user mode can reach is written.
func loadMSRs(c *abi.CPU, e *Entries) {
	cpu.WriteMSR(cpu.MSREFER, c.EFER)
	cpu.WriteMSR(cpu.MSRSTAR, starUser<<48|kernelCS<<32)
	cpu.WriteMSR(cpu.MSRLSTAR, e.Syscall)
	cpu.WriteMSR(cpu.MSRCSTAR, 0)
	cpu.WriteMSR(cpu.MSRFMASK, fmask)
	cpu.WriteMSR(cpu.MSRSysenterCS, 0) // SYSENTER is #GP
	cpu.WriteMSR(cpu.MSRKernelGS, 0)
	cpu.WriteMSR(cpu.MSRPAT, c.PAT)
	forgetProcess()
	if c.XCR0 != 0 {
		cpu.WriteXCR0(c.XCR0)
	}
	if c.Features&abi.FXFD != 0 {
		cpu.WriteMSR(cpu.MSRXFD, c.XFD)
	}
	if c.Features&abi.FTSCAux != 0 {
		cpu.WriteMSR(cpu.MSRTSCAux, uint64(c.LinuxCPU))
	}
	if c.Features&abi.FSpecCtrl != 0 {
		cpu.WriteMSR(cpu.MSRSpecCtrl, c.SpecCtrl)
		window.GetPrivate().SpecCtrl = c.SpecCtrl
	}
}

// forgetProcess takes away what a CPU that Linux ran may still be allowed in the
// name of the last process there: ENQCMD then faults, and is executed at home.
func forgetProcess() {
	const enqcmd = 1 << 29
	if last, _, _, _ := cpu.CPUID(0, 0); last < 7 {
		return
	}
	if _, _, c, _ := cpu.CPUID(7, 0); c&enqcmd != 0 {
		cpu.WriteMSR(cpu.MSRPASID, 0)
	}
}

// vendorIntel is "Genu" of CPUID leaf 0, EBX.
const vendorIntel = 0x756e6547

// microcode returns the revision of this CPU's microcode, as Linux's
// intel_get_microcode_revision and its counterpart for AMD read it.
func microcode() uint32 {
	if _, vendor, _, _ := cpu.CPUID(0, 0); vendor != vendorIntel {
		return uint32(cpu.ReadMSR(cpu.MSRMicrocode))
	}
	cpu.WriteMSR(cpu.MSRMicrocode, 0)
	cpu.CPUID(1, 0) // stores the revision
	return uint32(cpu.ReadMSR(cpu.MSRMicrocode) >> 32)
}
