// Package trap is where every trap, interrupt and system call arrives from the
// entry code.
package trap

import (
	"apkern/abi"
	"apkern/kernel/admit"
	"apkern/kernel/answer"
	"apkern/kernel/cpu"
	"apkern/kernel/fatal"
	"apkern/kernel/lapic"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/space"
	"apkern/kernel/stat"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// What the entry code does after Dispatch.
const (
	Resume = iota // back to where the trap came from
	Leave         // this CPU has no thread any more: to idle.Loop
)

// dr6Clear is DR6 with no condition set (SDM 3, section 17.2.3).
const dr6Clear = 0xffff0ff0

// Dispatch handles the trap whose registers are in f, with interrupts off. It
// nests: while the CPU sleeps in idle.Loop, and for an access of uaccess that
// the processor refused.
func Dispatch(f *window.Frame) uint64 {
	if f.FromUser() {
		window.GetPrivate().Stage = window.StageFrame
		return fromUser(f)
	}
	return fromRing0(f)
}

func fromUser(f *window.Frame) uint64 {
	switch a := Classify(f.Regs.Vector); a {
	case ActSyscall:
		return systemCall(f)
	case ActPageFault:
		return pageFault()
	case ActException:
		return exception(f)
	default:
		interrupt(a)
		return userInterrupt(a)
	}
}

// systemCall answers the call, or sends the thread home to make it.
func systemCall(f *window.Frame) uint64 {
	switch answer.Complete(f) {
	case answer.Done:
		return toUser()
	case answer.Yield:
		return preempt(abi.CYield)
	}
	stat.Inc(abi.CSyscall)
	return home(abi.EvSyscall)
}

// Forward sends the thread home to make a call that nobody answers here. Its frame is
// complete but for the vector registers: the entry code has stored those in the slot
// with the rest of the extended state. This CPU has no thread any more.
func Forward() {
	window.GetPrivate().Stage = window.StageCall
	stat.Inc(abi.CSyscall)
	slot.SaveGeneral()
	slot.Post(abi.EvSyscall)
}

// pageFault sends the thread home to have a page of its own served. Faults on
// other addresses are exceptions like any other.
func pageFault() uint64 {
	cr2 := cpu.ReadCR2()
	window.Slot().CR2 = cr2
	if int64(cr2) < 0 {
		stat.Inc(abi.CException)
		return home(abi.EvException)
	}
	stat.Inc(abi.CFault)
	return home(abi.EvFault)
}

func exception(f *window.Frame) uint64 {
	if f.Regs.Vector == vecDebug {
		window.Slot().DR6 = cpu.ReadDR6()
		cpu.WriteDR6(dr6Clear)
	}
	stat.Inc(abi.CException)
	return home(abi.EvException)
}

// interrupt does what an interrupt asks for wherever it arrives.
func interrupt(a Action) {
	switch a {
	case ActWake:
		stat.Inc(abi.CIrqWake)
	case ActFlush:
		stat.Inc(abi.CIrqFlush)
		space.Serve()
	case ActRecall:
		stat.Inc(abi.CIrqRecall)
	case ActResched:
		stat.Inc(abi.CIrqResched)
	case ActTimer:
		stat.Inc(abi.CIrqTimer)
	case ActSpurious:
		stat.Inc(abi.CIrqOther)
		return
	default:
		stat.Inc(abi.CIrqOther)
	}
	lapic.EOI()
}

// userInterrupt does what is left with a thread on the CPU.
func userInterrupt(a Action) uint64 {
	switch a {
	case ActWake:
		sched.Join(slot.Head())
	case ActResched:
		if sched.Yields(slot.Head()) {
			return preempt(abi.CYield)
		}
	case ActTimer:
		if sched.EndSlice(slot.Head()) {
			return preempt(abi.CPreempt)
		}
	}
	return toUser()
}

// preempt ends the thread's turn because others wait. A thread inside a
// restartable sequence is found out when it is put on a CPU again.
func preempt(counter int) uint64 {
	if toUser() == Leave {
		return Leave
	}
	stat.Inc(counter)
	slot.Save()
	slot.Requeue()
	return Leave
}

// toUser is the last look before the thread goes on, see idle.Loop.
func toUser() uint64 {
	if event := admit.Look(); event != abi.EvNone {
		if event == abi.EvRecall {
			stat.Inc(abi.CRecall)
		}
		return home(event)
	}
	window.GetPrivate().Stage = window.StageUser
	return Resume
}

// home sends the thread home with an event.
func home(event uint32) uint64 {
	slot.Save()
	slot.Post(event)
	return Leave
}

func fromRing0(f *window.Frame) uint64 {
	switch a := Classify(f.Regs.Vector); a {
	case ActException, ActPageFault, ActSyscall:
		return fault(f)
	case ActTimer:
		interrupt(a)
		sched.TimerWhileIdle()
	default:
		interrupt(a)
	}
	return Resume
}

// fault handles an exception in ring 0: only those are foreseen that values
// from outside can cause.
func fault(f *window.Frame) uint64 {
	if pc, ok := uaccess.Fixup(f.Regs.RIP); ok {
		f.Regs.RIP = pc
		return Resume
	}
	if f.Regs.RIP == window.GetPrivate().RestorePC {
		// The thread's extended state is not what the processor accepts. Its
		// slot still holds all that home sent.
		s := window.Slot()
		s.Regs.Vector, s.Regs.Err = vecProtection, 0
		stat.Inc(abi.CException)
		slot.Post(abi.EvException)
		return Leave
	}
	fatal.Trap(f)
	return Leave
}
