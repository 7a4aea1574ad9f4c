// Package cpu wraps single instructions of the processor.
//
// Built with the tag metal each function is the instruction it names. Without
// it the same functions work on a simulated processor (see Sim), so that all
// other packages of the application kernel run as ordinary host tests.
//
// References are to the Intel 64 and IA-32 Architectures Software Developer's
// Manual (SDM).
package cpu

// Model-specific registers, SDM volume 4.
const (
	MSRAPICBase   = 0x1b
	MSRTSCAdjust  = 0x3b
	MSRSpecCtrl   = 0x48
	MSRPredCmd    = 0x49 // bit 0: indirect branch predictor barrier
	MSRMicrocode  = 0x8b
	MSRSysenterCS = 0x174
	MSRMCGStatus  = 0x17a
	MSRXFD        = 0x1c4
	MSRPAT        = 0x277
	MSRPASID      = 0xd93 // the process in whose name ENQCMD sends to devices
	MSRX2APIC     = 0x800 // register at xAPIC offset r: MSRX2APIC + r/16
	MSREFER       = 0xc0000080
	MSRSTAR       = 0xc0000081
	MSRLSTAR      = 0xc0000082
	MSRCSTAR      = 0xc0000083
	MSRFMASK      = 0xc0000084
	MSRKernelGS   = 0xc0000102
	MSRTSCAux     = 0xc0000103
)

// Bits of CR4, SDM volume 3, section 2.5.
const (
	CR4SMAP = 1 << 21
	CR4PKE  = 1 << 22
)

// MXCSRDefault masks every SIMD floating-point exception, as after reset.
const MXCSRDefault = 0x1f80
