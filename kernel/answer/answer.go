// Package answer is what an application CPU answers itself of the system calls:
// those of abi/answers.h, as docs/calls.md explains. Whatever it declines is made
// at home, which is always right.
//
// There are two stages. First runs on the user's vector registers and FS base,
// before anything but the general registers is saved: it and all it calls must do
// without them, which internal/kimage's TestFirstStageIsPlain looks up in the
// object code. Second runs like the rest of the kernel.
package answer

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/admit"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/stat"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// What the entry code does after First.
const (
	Declined   = iota // nothing has changed: go on to Second
	Answered          // back to user mode by SYSRET
	StoreCPU          // the same, once the numbers are stored where RDI and RSI point
	Unanswered        // nothing has changed, and Second would forward it
)

// flagsSysret are those of RFLAGS that user mode may have set when SYSRET takes it
// back: not TF, RF and NT, which need more than SYSRET does, nor IOPL and VM.
const flagsSysret = 0x240ed7

// First is called with interrupts off, the thread's frame complete but for vector
// registers and FS base. Between its last look and user mode nothing is awaited.
func First(f *window.Frame) uint64 {
	a, ok := allowed(f)
	if !ok {
		return Unanswered
	}
	if f.Regs.RFlags&^flagsSysret != 0 || f.Regs.RCX >= uaccess.Limit() || !admit.Quiet() {
		return Declined
	}
	switch a {
	case abi.ASchedYield:
		if sched.Waiting() {
			return Declined
		}
		f.Regs.RAX = 0
	case abi.AGetpid:
		f.Regs.RAX = uint64(window.Slot().TGID)
	case abi.AGettid:
		f.Regs.RAX = uint64(window.Slot().TID)
	case abi.AGetcpu:
		if f.Regs.RDI > uaccess.Limit()-4 || f.Regs.RSI > uaccess.Limit()-4 {
			return Declined
		}
		return StoreCPU // which counts
	default:
		return Declined
	}
	stat.Inc(abi.CAnswerSchedYield + int(a))
	return Answered
}

// Second answers what is left of a call that First declined. Whatever the result,
// the thread is looked at again before it goes on.
type Second uint8

// The results.
const (
	Forward Second = iota // to be made at home
	Done                  // answered
	Yield                 // answered, and others have run less
)

// Complete decides about the call in f.
func Complete(f *window.Frame) Second {
	a, ok := allowed(f)
	switch {
	case !ok:
	case a == abi.AFutex:
		return futex(f)
	case a == abi.ASchedYield:
		complete(f, a, 0)
		if sched.GiveWay(slot.Head()) {
			return Yield
		}
		return Done
	}
	return Forward
}

// allowed returns which call it is, if it may be answered here. Home takes the
// leave away when somebody begins to watch the thread's calls: from then on none is
// answered, and one that is answered meanwhile was made before.
func allowed(f *window.Frame) (uint8, bool) {
	nr := f.Regs.RAX
	if nr >= uint64(len(abi.AnswerTo)) || abi.AnswerTo[nr] == 0 {
		return 0, false
	}
	a := abi.AnswerTo[nr] - 1
	return a, atomic.LoadUint32(&slot.Head().Answers)>>(a&31)&1 != 0
}

// sizeofSyscall is the length of the instruction, which the frame stands at.
const sizeofSyscall = 2

// complete makes f what the thread has after the call. SYSCALL itself has put the
// address and the flags into RCX and R11.
func complete(f *window.Frame, a uint8, result int64) Second {
	f.Regs.RIP += sizeofSyscall
	f.Regs.RAX = uint64(result)
	stat.Inc(abi.CAnswerSchedYield + int(a))
	return Done
}
