package sched

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/lapic"
	"apkern/kernel/window"
)

// Own returns this CPU's run queue.
func Own() *abi.Runq { return window.Runq(window.Config().Index) }

// Next takes the entry to try next: the oldest of this CPU's queue, else one
// that waits behind a busy CPU's thread and may run here.
func Next() (slot uint32, stolen, ok bool) {
	if slot, ok := Pop(Own()); ok {
		return slot, false, true
	}
	slot, ok = steal()
	return slot, true, ok
}

// steal looks at the other CPUs in turn, beginning behind this one, so that
// idle CPUs do not all rob the same.
func steal() (slot uint32, ok bool) {
	self, cpus := window.Config().Index, window.Global().CPUs
	for i := uint32(1); i < cpus; i++ {
		victim := (self + i) % cpus
		q := window.Runq(victim)
		if n := Waiting(q); n == 0 || n == 1 && idle(victim) {
			continue // empty, or its owner is about to take the only entry
		}
		pos, slot, ok := peek(q)
		if ok && MayRun(slot, self) && take(q, pos) {
			return slot, true
		}
	}
	return 0, false
}

func idle(cpu uint32) bool {
	s := atomic.LoadUint32(&window.CPU(cpu).State)
	return s == abi.CPUPoll || s == abi.CPUHalt
}

// MayRun says whether home lets the thread run on the CPU with that index.
func MayRun(slot, cpu uint32) bool {
	word := atomic.LoadUint64(&window.Head(slot).CPUs[cpu/64%abi.CPUWords])
	return word>>(cpu%64)&1 != 0
}

// WakeIdle wakes one halted CPU on which the thread at the head of this CPU's
// queue may run: halted CPUs do not look for work to steal.
func WakeIdle() {
	_, slot, ok := peek(Own())
	if !ok {
		return
	}
	for i := range window.Global().CPUs {
		c := window.CPU(i)
		if atomic.LoadUint32(&c.State) == abi.CPUHalt && MayRun(slot, i) {
			lapic.Send(c.APICID, abi.VecWake)
			return
		}
	}
}
