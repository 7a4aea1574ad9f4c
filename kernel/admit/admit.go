// Package admit is the last look before user mode, and before anything else
// that touches user memory.
package admit

import (
	"apkern/abi"
	"apkern/kernel/command"
	"apkern/kernel/cpu"
	"apkern/kernel/slot"
	"apkern/kernel/space"
	"apkern/kernel/stat"
)

// Look returns abi.EvNone when this CPU's thread may go on, and otherwise the
// event to send it home with. It answers flush requests, and waits while home
// holds the CPU, which takes as long as a change of a few page table entries.
//
// It is called with interrupts off, which stay off until user mode: whatever
// home asks for later interrupts the thread there. User memory may be touched
// until the next flush request is answered.
func Look() uint32 {
	for waiting := false; ; waiting = true {
		switch c := command.Pending(); c {
		case abi.CmdNone:
		case abi.CmdPark:
			return abi.EvPark
		default:
			command.Obey(c)
		}
		if space.Pending() {
			space.Serve()
		}
		if slot.Recalled() {
			return abi.EvRecall
		}
		if !space.Held() {
			return abi.EvNone
		}
		if !waiting {
			stat.Inc(abi.CHeld)
		}
		cpu.Pause()
	}
}

// Quiet says whether Look would return abi.EvNone at once, with nothing to do. It
// uses general registers only (see package answer).
func Quiet() bool {
	return command.Pending() == abi.CmdNone && !space.Pending() && !slot.Recalled() && !space.Held()
}
