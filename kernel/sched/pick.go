package sched

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/window"
)

// Choice is a ready thread that should run next.
type Choice struct {
	Slot     uint32
	Overdue  bool // it has waited too long, whatever it has run
	vruntime uint64
}

// Idle is called by a CPU that had nothing to run, before it takes a thread. Its level
// has stood still meanwhile: who comes here must not be measured by that.
func Idle() { raise(atomic.LoadUint64(&window.Global().Level)) }

// Next returns the thread to run next on this CPU, which has none. It leaves one
// to the CPU where it last ran if that polls too, for a moment: its address space
// is probably loaded there. now is the TSC, read a moment ago.
func Next(now uint64) (Choice, bool) {
	slot, n := census()
	if n == 0 {
		return Choice{}, false
	}
	if n == 1 {
		if c, ok := returned(slot, now); ok {
			return c, true
		}
	}
	return choose(now, 0, true)
}

// returned is what choose comes to in the commonest case: the only thread in the set
// is ready, ran here, and came back before it could be overdue.
func returned(slot uint32, now uint64) (Choice, bool) {
	self := window.Config().Index
	h := window.Head(slot)
	if atomic.LoadUint32(&h.State) != abi.Ready || atomic.LoadUint32(&h.Last) != self || !MayRun(slot, self) ||
		wait(h, now) > overdueSlices*slice() {
		return Choice{}, false
	}
	return Choice{Slot: slot, vruntime: effective(h)}, true
}

// longest bounds a wait, so that its product with a weight fits in 64 bits.
const longest = 1 << 44

// wait returns for how long the thread has been ready. Counters of different CPUs
// may differ by a little.
func wait(h *abi.Head, now uint64) uint64 {
	queued := atomic.LoadUint64(&h.Queued)
	if before(now, queued) {
		return 0
	}
	return min(now-queued, longest)
}

// choose returns the ready thread with the least virtual run time that may run on
// this CPU, the one that waits longer if there are several; but one that is
// overdue comes first. now is the TSC, running the weight of this CPU's thread, 0: none.
func choose(now, running uint64, leave bool) (best Choice, ok bool) {
	self := window.Config().Index
	total, most := running, uint64(0)
	var longestWait uint64
	var patient uint32
	for s := (scan{cpu: self}); ; {
		slot, h, more := s.next()
		if !more {
			break
		}
		w, waited := weight(h), wait(h, now)
		total += w
		if leave && waited < slice()/partToLeave && pollsElsewhere(slot, h, self) {
			continue
		}
		if waited*w >= most {
			most, patient = waited*w, slot
		}
		v := effective(h)
		if !ok || before(v, best.vruntime) || v == best.vruntime && waited > longestWait {
			best, longestWait, ok = Choice{Slot: slot, vruntime: v}, waited, true
		}
	}
	if ok && most > overdueSlices*slice()*total {
		return Choice{Slot: patient, Overdue: true}, true
	}
	return best, ok
}

// pollsElsewhere says whether the thread last ran on another CPU that looks for
// one at this moment.
func pollsElsewhere(slot uint32, h *abi.Head, self uint32) bool {
	last := atomic.LoadUint32(&h.Last)
	return last != self && last < window.Global().CPUs && MayRun(slot, last) &&
		atomic.LoadUint32(&window.CPU(last).State) == abi.CPUPoll
}
