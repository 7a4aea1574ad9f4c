// Package slot moves a thread between its slot and this CPU: the transitions
// of head.state that belong to the CPU, and the registers.
//
// In state AWAY with this CPU's index the slot is ours alone; Post and Requeue
// give it away, and nothing of it may be touched after them. All functions run
// with interrupts off.
package slot

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/lapic"
	"apkern/kernel/sched"
	"apkern/kernel/stat"
	"apkern/kernel/window"
)

// Take makes the ready thread this CPU's and maps its slot. False: it is not
// ready any more.
func Take(index uint32) bool {
	if !sched.Claim(index, abi.Away|window.Config().Index<<abi.StateCPUShift) {
		return false
	}
	window.MapSlot(window.Head(index).Phys)
	window.GetPrivate().Stage = window.StageClaimed
	atomic.StoreUint32(&window.Self().Slot, index+1)
	return true
}

// Head returns the public part of the slot of this CPU's thread; there must be one.
func Head() *abi.Head { return window.Head(Index()) }

// Index returns the slot index of this CPU's thread; there must be one.
func Index() uint32 { return window.Self().Slot - 1 }

// Recalled says whether home wants this CPU's thread back. An interrupt that
// says so may be taken while another thread runs, or by another CPU: the flag
// is what counts, and is tested before every way to user mode.
func Recalled() bool { return atomic.LoadUint32(&window.Head(Index()).Recall) != 0 }

// MovedHere says whether the thread ran elsewhere, or another ran here, since
// it last ran on this CPU.
func MovedHere() bool {
	return window.GetPrivate().LastSlot != window.Self().Slot ||
		atomic.LoadUint32(&window.Head(Index()).Last) != window.Config().Index
}

// Begin records that the thread goes to user mode, with its registers loaded
// from the slot.
func Begin() {
	p, h := window.GetPrivate(), window.Head(Index())
	p.LastSlot = window.Self().Slot
	p.Stage = window.StageUser
	atomic.StoreUint32(&h.Last, window.Config().Index)
	now := cpu.ReadTSC()
	atomic.StoreUint64(&h.Since, now)
	sched.ChargeFrom(now)
	stat.Inc(abi.CRun)
}

// Post sends this CPU's thread home with an event.
func Post(event uint32) {
	window.Slot().Event = event
	index := release()
	h := window.Head(index)
	atomic.StoreUint32(&h.State, abi.Event) // XCHG: before sleeping is read
	if atomic.LoadUint32(&h.Sleeping) != 0 {
		atomic.OrUint64(&window.Global().Bell[index/64%uint32(len(window.Global().Bell))], 1<<(index%64))
		lapic.RingBell()
	}
}

// Requeue makes this CPU's thread, whose registers are saved, ready again, for any
// CPU.
func Requeue() {
	index := release()
	sched.Enqueue(index)
	sched.Announce(index)
}

// release credits the time away and takes the thread off this CPU. The state
// is still AWAY.
func release() (index uint32) {
	index = Index()
	h := window.Head(index)
	if h.Since != 0 {
		now := cpu.ReadTSC()
		cycles := now - h.Since
		// First, since home reads the two in the other order: it may miss this stay for a
		// moment, and never counts it twice.
		atomic.StoreUint64(&h.Since, 0)
		window.Slot().Cycles += cycles
		stat.Add(abi.CUserCycles, cycles)
		sched.Charge(h, now)
	}
	window.GetPrivate().Charged = 0
	window.GetPrivate().Stage = window.StageNone
	atomic.StoreUint32(&window.Self().Slot, 0)
	return index
}
