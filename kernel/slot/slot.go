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
// ready any more, the run queue's entry was a stale hint.
func Take(index uint32) bool {
	h := window.Head(index)
	if !atomic.CompareAndSwapUint32(&h.State, abi.Ready, away()) {
		return false
	}
	hold(index, h)
	return true
}

func away() uint32 { return abi.Away | window.Config().Index<<abi.StateCPUShift }

func hold(index uint32, h *abi.Head) {
	window.MapSlot(h.Phys)
	window.GetPrivate().Stage = window.StageClaimed
	atomic.StoreUint32(&window.Self().Slot, index+1)
}

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
	atomic.StoreUint64(&h.Since, cpu.ReadTSC())
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

// Requeue puts this CPU's thread, whose registers are saved, at the end of its
// run queue. With the queue full the thread goes home, unless home or another
// CPU has it by then.
func Requeue() {
	index := release()
	h := window.Head(index)
	atomic.StoreUint32(&h.State, abi.Ready) // first: who pops the entry must find it ready
	if sched.Push(sched.Own(), index) || !atomic.CompareAndSwapUint32(&h.State, abi.Ready, away()) {
		return
	}
	hold(index, h)
	Post(abi.EvPreempt)
}

// release credits the time away and takes the thread off this CPU. The state
// is still AWAY.
func release() (index uint32) {
	index = Index()
	h := window.Head(index)
	if h.Since != 0 {
		cycles := cpu.ReadTSC() - h.Since
		window.Slot().Cycles += cycles
		atomic.StoreUint32(&h.Brief, sched.Brief(cycles))
		stat.Add(abi.CUserCycles, cycles)
		atomic.StoreUint64(&h.Since, 0)
	}
	window.GetPrivate().Stage = window.StageNone
	atomic.StoreUint32(&window.Self().Slot, 0)
	return index
}
