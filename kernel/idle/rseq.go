package idle

import (
	"apkern/abi"
	"apkern/kernel/admit"
	"apkern/kernel/cpu"
	"apkern/kernel/slot"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// Fields of the user's struct rseq (include/uapi/linux/rseq.h).
const (
	rseqCPUStart = 0
	rseqCPU      = 4
	rseqCS       = 8
)

// prepareRSEQ does what Linux does when it puts a thread on a CPU
// (kernel/rseq.c). It returns the event to go home with: abi.EvRSEQ when the
// thread was preempted or moved inside a restartable sequence, or its area cannot
// be reached from here. Home then aborts the sequence.
func prepareRSEQ(s *abi.Slot) uint32 {
	if s.RSEQ == 0 {
		return abi.EvNone
	}
	own := window.Config().LinuxCPU
	moved, renumber := slot.MovedHere(), s.RSEQCPU != own
	if !moved && !renumber {
		return abi.EvNone
	}
	if event := admit.Look(); event != abi.EvNone {
		return event // user memory must not be touched now
	}
	if window.Config().CR4&cpu.CR4PKE != 0 {
		cpu.WritePKRU(0) // still another thread's keys; this one's come with its extended state
	}
	if moved {
		if cs, ok := uaccess.Load64(s.RSEQ + rseqCS); !ok || cs != 0 {
			return abi.EvRSEQ
		}
	}
	if renumber {
		if !uaccess.Store32(s.RSEQ+rseqCPUStart, own) || !uaccess.Store32(s.RSEQ+rseqCPU, own) {
			return abi.EvRSEQ
		}
		s.RSEQCPU = own
	}
	return abi.EvNone
}
