package sched

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/lapic"
	"apkern/kernel/window"
)

// BeginSlice is called when a thread was put on the CPU, after cpuhead.state
// says RUN: it starts a time slice if others wait. Who makes a thread ready
// later sees ticking = 0 and sends abi.VecWake or abi.VecResched, which come to
// Join and Yields.
func BeginSlice() {
	p, h := window.GetPrivate(), window.Self()
	p.Alone = 0
	if Waiting() {
		start(h)
		Spread()
		return
	}
	if atomic.LoadUint32(&h.Ticking) != 0 {
		lapic.StopTimer()
		atomic.StoreUint32(&h.Ticking, 0)
		if Waiting() { // again: who made it ready may have seen ticking = 1
			start(h)
			return
		}
	}
	p.Alone = 1
}

// Yields is called when home found this CPU's thread, whose head is h, to be the
// one furthest ahead of a thread that became ready. It says whether it gives way at
// once: who comes back from a call would otherwise wait out a slice of one that
// computes, once a call.
func Yields(h *abi.Head) bool {
	Join(h)
	c, ok := rival(h)
	return ok && (c.Overdue || before(c.vruntime+slice()/abi.YieldPart, h.VRuntime))
}

// GiveWay is called when this CPU's thread, whose head is h, yields. It says whether
// another is there that may run, and puts h behind it: of equals, the one that waits
// longer is next.
func GiveWay(h *abi.Head) bool {
	Join(h)
	c, ok := rival(h)
	if ok {
		atomic.StoreUint64(&h.VRuntime, later(h.VRuntime, c.vruntime))
	}
	return ok
}

// rival charges this CPU's thread, whose head is h, and returns the one that would run
// here next.
func rival(h *abi.Head) (Choice, bool) {
	now := cpu.ReadTSC()
	Charge(h, now)
	return choose(now, weight(h), false)
}

// Join starts a time slice if others wait and none is running. This CPU's thread,
// whose head is h, competes from now on: the level is where it stands.
func Join(h *abi.Head) {
	if atomic.LoadUint32(&window.Self().Ticking) != 0 || !Waiting() {
		return
	}
	if p := window.GetPrivate(); p.Alone != 0 {
		Charge(h, cpu.ReadTSC())
		p.Alone = 0
		raise(h.VRuntime)
	}
	start(window.Self())
}

// EndSlice is called when the timer fired. It says whether this CPU's thread gives
// way, to one that has run less. If not, another slice begins while others wait:
// who makes a thread ready and saw ticking = 1 did so before the look here.
func EndSlice(h *abi.Head) bool {
	atomic.StoreUint32(&window.Self().Ticking, 0)
	c, ok := rival(h)
	switch {
	case !ok:
		window.GetPrivate().Alone = 1
	case c.Overdue || before(c.vruntime, h.VRuntime):
		return true
	default:
		start(window.Self())
	}
	return false
}

// TimerWhileIdle is called when the timer fired with no thread on the CPU.
func TimerWhileIdle() { atomic.StoreUint32(&window.Self().Ticking, 0) }

func start(h *abi.CPUHead) {
	atomic.StoreUint32(&h.Ticking, 1)
	lapic.StartTimer(slice())
}
