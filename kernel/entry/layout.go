// Package entry is the assembly around the application kernel's Go: where a
// CPU enters it, where traps, system calls and failures arrive, and the ways
// out to user mode.
//
// The post-link tool redirects the runtime's panic routines to fatalEntry and
// runtime.morestack and its variants to stackEntry; both find the failing
// code's return address at 0(SP).
//
// What compiled Go expects, and the entry code provides: a stack, R14 = g with
// its stack bounds, g at -8(FS) for the wrappers around assembly functions, X15
// zero, the direction flag clear, SSE enabled.
package entry

//lint:file-ignore U1000 the assembly uses these names through go_asm.h

import (
	"structs"
	"unsafe"

	"apkern/abi"
	"apkern/kernel/answer"
	"apkern/kernel/cpu"
	"apkern/kernel/setup"
	"apkern/kernel/trap"
	"apkern/kernel/window"
)

// Addresses and values for the assembly, which sees them through go_asm.h. All
// addresses fit a sign-extended 32-bit displacement.
const (
	privateBase = abi.Window + abi.WinPrivate
	configBase  = abi.Window + abi.WinCPU
	statBase    = abi.Window + abi.WinStat
	fpuArea     = abi.Window + abi.WinSlot + abi.SlotFPU
	stackLow    = abi.Window + abi.WinStack
	stackTop    = abi.Window + abi.WinStackTop
	fatalTop    = abi.Window + abi.WinISTDF + abi.WinISTSize
	userFrame   = abi.Window + int(window.UserFrameOff)
	kernelFS    = privateBase + tlsOff + 8 // puts the word with g's address at -8(FS)

	tlsOff   = int(unsafe.Offsetof(window.Private{}.TLS))
	stackRed = 928 // runtime's stackGuard: what functions without a check may use

	slotXMask  = abi.Window + abi.WinSlot + int(unsafe.Offsetof(abi.Slot{}.XMask))
	slotGSBase = abi.Window + abi.WinSlot + int(unsafe.Offsetof(abi.Slot{}.GSBase))
	statNMI    = statBase + 8*abi.CNmi
	statMCE    = statBase + 8*abi.CMce
	statGetcpu = statBase + 8*abi.CAnswerGetcpu

	answered   = answer.Answered
	unanswered = answer.Unanswered // between them: answer.StoreCPU

	// PG, AM, WP, NE, ET, MP and PE (SDM 3, section 2.5).
	cr0     = 0x80050033
	cr4SMAP = cpu.CR4SMAP

	vecSyscall   = trap.VecSyscall
	userCS       = 0x33
	userSS       = 0x2b
	stubSize     = setup.StubSize
	mcgStatus    = cpu.MSRMCGStatus
	mcgRestart   = 1 << 0 // RIPV: the interrupted program can go on
	featVERW     = abi.FVERW
	featMCA      = abi.FMCA
	cmdPark      = abi.CmdPark
	kindPanic    = abi.FatalPanic
	kindStack    = abi.FatalStack
	kindDouble   = abi.FatalDouble
	kindCheck    = abi.FatalCheck
	hardwareSize = 7 * 8 // vector, error code and what the processor pushed
)

// Types whose offsets the assembly uses.
type (
	frame   window.Frame
	regs    abi.Regs
	private window.Private
	config  abi.CPU
	cpuhead abi.CPUHead
	g       window.G
)

// A trap frame is abi.Regs from vector on, laid out as pushed.
type hardware struct {
	_                                   structs.HostLayout
	vector, err, rip, cs, flags, sp, ss uint64
}

const (
	_ = hardwareSize - unsafe.Sizeof(hardware{})
	_ = unsafe.Sizeof(abi.Regs{}) - unsafe.Offsetof(abi.Regs{}.Vector) - hardwareSize
	_ = -unsafe.Offsetof(window.Private{}.G) // privateBase is g

	_ = answer.Answered - answer.Declined - 1
	_ = answer.StoreCPU - answer.Answered - 1
	_ = answer.Unanswered - answer.StoreCPU - 1
)
