package sched

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/lapic"
	"apkern/kernel/window"
)

// BeginSlice is called when a thread was put on the CPU, after cpuhead.state
// says RUN: it starts a time slice if others wait. Who queues a thread here
// later sees ticking = 0 and sends abi.VecResched, which comes to JoinSlice.
func BeginSlice() {
	h := window.Self()
	if Waiting(Own()) == 0 {
		if atomic.LoadUint32(&h.Ticking) == 0 {
			return
		}
		lapic.StopTimer()
		atomic.StoreUint32(&h.Ticking, 0)
		if Waiting(Own()) == 0 { // again: a producer may have seen ticking = 1
			return
		}
	}
	start(h)
}

// JoinSlice starts a time slice if others wait and none is running.
func JoinSlice() {
	h := window.Self()
	if Waiting(Own()) != 0 && atomic.LoadUint32(&h.Ticking) == 0 {
		start(h)
	}
}

// briefPart is how much shorter than a time slice a stay must be to be brief.
const briefPart = 8

// Brief returns 1 for a stay of that many TSC cycles that left most of its
// slice, else 0 (abi.Head.Brief).
func Brief(cycles uint64) uint32 {
	if cycles < atomic.LoadUint64(&window.Global().SliceCycles)/briefPart {
		return 1
	}
	return 0
}

// Yields says whether the running thread gives way at once to the one that
// waits next. A thread that comes back from a call would otherwise wait out a
// whole slice of one that computes, once a call.
func Yields() bool {
	_, next, ok := peek(Own())
	return ok && atomic.LoadUint32(&window.Head(next).Brief) != 0
}

// EndSlice is called when the timer fired. It says whether others wait.
func EndSlice() bool {
	atomic.StoreUint32(&window.Self().Ticking, 0)
	return Waiting(Own()) != 0
}

func start(h *abi.CPUHead) {
	atomic.StoreUint32(&h.Ticking, 1)
	lapic.StartTimer(atomic.LoadUint64(&window.Global().SliceCycles))
}
