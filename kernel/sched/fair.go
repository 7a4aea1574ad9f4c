package sched

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/window"
)

// A thread's virtual run time (abi.Head.VRuntime) is the time it ran, in TSC
// cycles, divided by its weight; a CPU's level is the least of those that compete
// there, and never falls. Times wrap: only differences mean something.

// Bounds, in time slices.
const (
	aloneSlices   = 16 // what a run counts for at the most that kept nobody waiting
	overdueSlices = 4  // how often a thread waits what it must wait by weights, before it is next
)

// partToLeave is the part of a slice for which a ready thread is left to the CPU
// where it ran.
const partToLeave = 16

func slice() uint64 { return atomic.LoadUint64(&window.Global().SliceCycles) }

// before compares virtual times.
func before(a, b uint64) bool { return int64(a-b) < 0 }

func later(a, b uint64) uint64 {
	if before(a, b) {
		return b
	}
	return a
}

// weight is never 0, which would divide by it, whatever home wrote.
func weight(h *abi.Head) uint64 {
	return max(uint64(atomic.LoadUint32(&h.Weight)), 1)
}

// ChargeFrom begins to charge this CPU's thread, at TSC now.
func ChargeFrom(now uint64) { window.GetPrivate().Charged = now }

// Charge adds what this CPU's thread, whose head is h, ran up to TSC now since it was
// last charged to its virtual run time. While it kept nobody waiting it owes
// nobody: such a run counts, so that it does not come first in everything
// afterwards, but is soon forgiven.
func Charge(h *abi.Head, now uint64) {
	p := window.GetPrivate()
	if p.Charged == 0 {
		return
	}
	ran := now - p.Charged
	if p.Alone != 0 {
		ran = min(ran, aloneSlices*slice())
	}
	p.Charged = now
	atomic.StoreUint64(&h.VRuntime, h.VRuntime+ran*abi.WeightNice0/weight(h))
}

// effective is the virtual run time that the thread competes with on this CPU:
// its own, unless it slept for so long that it would keep the others from
// running. Who never ran owes nobody, and is owed nothing.
func effective(h *abi.Head) uint64 {
	level := window.GetPrivate().Level
	if atomic.LoadUint32(&h.Fresh) != 0 {
		return level
	}
	return later(atomic.LoadUint64(&h.VRuntime), level-abi.CreditSlices*slice())
}

// raise raises this CPU's level, and the machine's.
func raise(level uint64) {
	p, g := window.GetPrivate(), window.Global()
	p.Level = later(p.Level, level)
	for {
		highest := atomic.LoadUint64(&g.Level)
		if !before(highest, p.Level) || atomic.CompareAndSwapUint64(&g.Level, highest, p.Level) {
			return
		}
	}
}

// Settle gives the thread that was just claimed the virtual run time that it was
// chosen by. One that was overdue has none behind it: it may have come from CPUs
// whose threads are far ahead of those here.
func Settle(c Choice) {
	h := window.Head(c.Slot)
	v := effective(h)
	if level := window.GetPrivate().Level; c.Overdue && before(level, v) {
		v = level
	}
	atomic.StoreUint64(&h.VRuntime, v)
	atomic.StoreUint32(&h.Fresh, 0)
	raise(v)
}
