package sched

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/lapic"
	"apkern/kernel/window"
)

// Announce sees that somebody runs a thread that this CPU made ready: an idle CPU
// if there is one, else all that may run it take turns from now on. The ready
// thread comes before the look at the CPUs, with a full barrier in between
// (Enqueue); a CPU says HALT, or RUN, likewise before it looks for ready threads.
// So one of both sees the other.
func Announce(slot uint32) {
	self, cpus := window.Config().Index, window.Global().CPUs
	for i := range cpus {
		if i == self || !MayRun(slot, i) {
			continue
		}
		switch atomic.LoadUint32(&window.CPU(i).State) {
		case abi.CPUPoll:
			return
		case abi.CPUHalt:
			if rouse(i) {
				return
			}
		}
	}
	for i := range cpus {
		c := window.CPU(i)
		if i != self && MayRun(slot, i) && atomic.LoadUint32(&c.State) == abi.CPURun && atomic.LoadUint32(&c.Ticking) == 0 {
			lapic.Send(c.APICID, abi.VecWake)
		}
	}
}

// rouse wakes a sleeping CPU. False: somebody else did, for another thread.
func rouse(index uint32) bool {
	c := window.CPU(index)
	if !atomic.CompareAndSwapUint32(&c.State, abi.CPUHalt, abi.CPUPoll) {
		return false
	}
	if window.Config().Features&abi.FMWait != 0 {
		atomic.AddUint32(&c.Wake, 1)
	} else {
		lapic.Send(c.APICID, abi.VecWake)
	}
	return true
}

// Spread is called by a CPU that took a thread and finds others waiting. It may
// have been counted on for two threads when it was idle, and took one of them: the
// other is announced again to CPUs that do not know of it.
func Spread() {
	self := window.Config().Index
	if !anyUnaware(self) {
		return
	}
	for s := (scan{cpu: self}); ; {
		slot, _, ok := s.next()
		if !ok {
			return
		}
		Announce(slot)
	}
}

// anyUnaware says whether another CPU sleeps, or runs a thread without a slice.
func anyUnaware(self uint32) bool {
	for i := range window.Global().CPUs {
		if i == self {
			continue
		}
		c := window.CPU(i)
		switch atomic.LoadUint32(&c.State) {
		case abi.CPUHalt:
			return true
		case abi.CPURun:
			if atomic.LoadUint32(&c.Ticking) == 0 {
				return true
			}
		}
	}
	return false
}
