package slot

import (
	"apkern/kernel/cpu"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// Selectors of user mode, as in Linux's GDT.
const (
	UserCS = 0x33
	UserSS = 0x2b
)

// Bits of RFLAGS (SDM 1, section 3.4.3): what user mode may set itself, and
// what it always runs with. I/O privilege and virtual-8086 bits are neither.
const (
	flagsUser   = 0x254dd5
	flagsAlways = 0x202
)

// Load fills the user frame from the mapped slot; the extended state and the
// GS base are loaded by the entry code on its way out. False: the processor
// would not accept the values, and nothing was changed.
func Load() bool {
	s, f := window.Slot(), window.UserFrame()
	if !uaccess.Canonical(s.Regs.RIP) || !uaccess.Canonical(s.FSBase) || !uaccess.Canonical(s.GSBase) {
		return false
	}
	f.Regs = s.Regs
	f.Regs.CS, f.Regs.SS = UserCS, UserSS
	f.Regs.RFlags = s.Regs.RFlags&flagsUser | flagsAlways
	f.FSBase = s.FSBase
	if !ownFrame() {
		forget(f)
		window.GetPrivate().LastFrame = window.Self().Slot
	}
	return true
}

// ownFrame says whether the frame was this CPU's thread's already. Its slot may
// have been another thread's, of which home then says that it ran nowhere yet.
func ownFrame() bool {
	return window.GetPrivate().LastFrame == window.Self().Slot && Head().Last == window.Config().Index
}

// forget clears what another thread may have left where the kernel puts
// registers for a moment: all that is mapped while this one runs is its own. The
// stacks below the frame never held any.
func forget(f *window.Frame) {
	f.XMM = [len(f.XMM)][2]uint64{}
	window.GetPrivate().UserSP = 0
	*window.DebugStack() = window.DebugFrame{}
}

// Save stores the registers of the thread whose frame is at the top of the
// trap stack into its slot. Doing it again changes nothing, so that the fatal
// path may repeat a save that failed.
func Save() {
	SaveGeneral()
	cpu.XSave(&window.UserFrame().XMM, window.SlotFPU(), window.Slot().XMask)
}

// SaveGeneral is Save for a thread whose extended state is in the slot already.
func SaveGeneral() {
	s, f := window.Slot(), window.UserFrame()
	s.Regs = f.Regs
	s.FSBase = f.FSBase
	s.GSBase = cpu.ReadGSBase()
	s.DS, s.ES, s.FS, s.GS = cpu.Selectors()
}
