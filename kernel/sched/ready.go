// Package sched decides which thread runs next on this CPU and for how long.
// docs/scheduling.md has the rules and their reasons.
package sched

import (
	"math/bits"
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

// Threads that wait for a CPU are in state READY with their bit in
// abi.Global.Ready. The bit is set before the state and cleared after it, by who
// makes the thread ready and by who takes it: a thread in state READY is found by
// its bit, and a bit alone says nothing. All CPUs share the one set, so that no
// CPU is idle while a thread waits that may run there.

// Enqueue makes a thread ready that this CPU owns. Nothing of its slot may be
// touched after it.
func Enqueue(slot uint32) {
	h := window.Head(slot)
	atomic.StoreUint64(&h.Queued, cpu.ReadTSC())
	word, bit := place(slot)
	atomic.OrUint64(word, bit)
	atomic.StoreUint32(&h.State, abi.Ready)
}

// Claim takes a ready thread: its state becomes owner. False: it is not ready any
// more.
func Claim(slot, owner uint32) bool {
	if !atomic.CompareAndSwapUint32(&window.Head(slot).State, abi.Ready, owner) {
		return false
	}
	word, bit := place(slot)
	atomic.AndUint64(word, ^bit)
	return true
}

func place(slot uint32) (word *uint64, bit uint64) {
	ready := &window.Global().Ready
	return &ready[slot/64%uint32(len(ready))], 1 << (slot % 64)
}

// words returns how many words of the set can hold a bit.
func words() uint32 {
	g := window.Global()
	return min(atomic.LoadUint32(&g.Words), uint32(len(g.Ready)))
}

// Any says whether a thread may be ready: it is what a CPU that polls asks again and again.
func Any() bool {
	ready := &window.Global().Ready
	for i := range words() {
		if atomic.LoadUint64(&ready[i%uint32(len(ready))]) != 0 {
			return true
		}
	}
	return false
}

// census says how many threads are in the set: none, one or several, that is 2. One
// is returned; it may not be ready any more.
func census() (slot uint32, n int) {
	ready := &window.Global().Ready
	for i := range words() {
		left := atomic.LoadUint64(&ready[i%uint32(len(ready))])
		if left == 0 {
			continue
		}
		if n != 0 || left&(left-1) != 0 {
			return 0, 2
		}
		slot, n = i*64+uint32(bits.TrailingZeros64(left)), 1
	}
	return slot, n
}

// scan goes through the threads that are ready and may run on a CPU.
type scan struct {
	cpu  uint32
	word uint32 // the next one to load
	left uint64 // of the last one
}

// next returns the next one. What it says of the thread may be over already: who
// wants it must Claim it.
func (s *scan) next() (slot uint32, h *abi.Head, ok bool) {
	ready := &window.Global().Ready
	for {
		for s.left == 0 {
			if s.word >= words() {
				return 0, nil, false
			}
			s.left = atomic.LoadUint64(&ready[s.word%uint32(len(ready))])
			s.word++
		}
		slot = (s.word-1)*64 + uint32(bits.TrailingZeros64(s.left))
		s.left &= s.left - 1
		h = window.Head(slot)
		if atomic.LoadUint32(&h.State) == abi.Ready && MayRun(slot, s.cpu) {
			return slot, h, true
		}
	}
}

// Waiting says whether a thread is ready that may run on this CPU.
func Waiting() bool {
	if !Any() {
		return false
	}
	s := scan{cpu: window.Config().Index}
	_, _, ok := s.next()
	return ok
}

// Needed says whether a thread is ready that may run on this CPU and on no other that
// is idle: one that is takes it in a moment.
func Needed() bool {
	for s := (scan{cpu: window.Config().Index}); ; {
		slot, _, ok := s.next()
		if !ok {
			return false
		}
		if !idleFor(slot) {
			return true
		}
	}
}

// idleFor says whether a CPU is idle that may run the thread.
func idleFor(slot uint32) bool {
	for i := range window.Global().CPUs {
		state := atomic.LoadUint32(&window.CPU(i).State)
		if (state == abi.CPUPoll || state == abi.CPUHalt) && MayRun(slot, i) {
			return true
		}
	}
	return false
}

// MayRun says whether home lets the thread run on the CPU with that index.
func MayRun(slot, cpu uint32) bool {
	word := atomic.LoadUint64(&window.Head(slot).CPUs[cpu/64%abi.CPUWords])
	return word>>(cpu%64)&1 != 0
}
