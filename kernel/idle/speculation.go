package idle

import (
	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

// switchOwner keeps a thread's predictions from steering another owner's:
// a barrier between owners (IBPB), and a fresh return stack buffer between
// threads.
func switchOwner(s *abi.Slot) {
	p := window.GetPrivate()
	if p.LastSlot != window.Self().Slot {
		cpu.FillRSB()
	}
	if p.LastOwner == s.Owner {
		return
	}
	if window.Config().Features&abi.FIBPB != 0 {
		cpu.WriteMSR(cpu.MSRPredCmd, 1)
	}
	p.LastOwner = s.Owner
}

// setSpecCtrl sets IA32_SPEC_CTRL where there is one; the write is slow.
func setSpecCtrl(v uint64) {
	p, c := window.GetPrivate(), window.Config()
	if c.Features&abi.FSpecCtrl != 0 && p.SpecCtrl != v {
		p.SpecCtrl = v
		cpu.WriteMSR(cpu.MSRSpecCtrl, v)
	}
}
