package trap

import "apkern/abi"

// Vectors: the processor's exceptions (SDM 3, table 6-1), the interrupts of
// handover.h, and one number of our own beyond them.
const (
	vecDebug      = 1
	vecPageFault  = 14
	vecProtection = 13
	exceptions    = 32

	// VecSyscall is what the SYSCALL entry puts into the frame.
	VecSyscall = 0x100
	vectors    = VecSyscall + 1
)

// Action is what to do about a vector.
type Action uint8

// The actions.
const (
	ActOther     Action = iota // acknowledge and ignore
	ActSpurious                // ignore: the local APIC wants no acknowledgement
	ActException               // user mode: home. Ring 0: fixup or fatal
	ActPageFault               // the same, but home may serve it in place
	ActSyscall
	ActWake
	ActFlush
	ActRecall
	ActResched
	ActTimer
)

// table says what each vector means. What is not named is an interrupt that was
// not meant for us, such as Linux's all-but-self ones; exceptions are filled
// in by Classify.
var table = [vectors]Action{
	vecPageFault:    ActPageFault,
	abi.VecWake:     ActWake,
	abi.VecFlush:    ActFlush,
	abi.VecRecall:   ActRecall,
	abi.VecResched:  ActResched,
	abi.VecTimer:    ActTimer,
	abi.VecSpurious: ActSpurious,
	VecSyscall:      ActSyscall,
}

// Classify returns the action for a vector. All gates are for ring 0, so that a
// vector from 32 on is never the doing of an INT instruction.
func Classify(vector uint64) Action {
	if vector >= vectors {
		return ActOther
	}
	if a := table[vector]; a != ActOther || vector >= exceptions {
		return a
	}
	return ActException
}
