package answer

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/admit"
	"apkern/kernel/cpu"
	"apkern/kernel/sched"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// Operations of futex() that are answered (include/uapi/linux/futex.h): those that the
// C library's and other runtimes' locks are made of, private to the process.
const (
	futexWait       = 0 | futexPrivate
	futexWake       = 1 | futexPrivate
	futexWaitBitset = 9 | futexPrivate
	futexPrivate    = 128
	futexRealtime   = 256 // which clock a timeout is by: there is none

	matchAny = 0xffffffff
	eagain   = 11
)

// futex answers what it can of the call in f. docs/calls.md says why that is right.
func futex(f *window.Frame) Second {
	addr := f.Regs.RDI
	if addr%4 != 0 || addr > uaccess.Limit()-4 {
		return Forward
	}
	switch f.Regs.RSI {
	case futexWake:
		if n := int32(f.Regs.RDX); n > 0 && nobodyWaits(addr) {
			return complete(f, abi.AFutex, 0)
		}
	case futexWaitBitset, futexWaitBitset | futexRealtime:
		if uint32(f.Regs.R9) == matchAny && f.Regs.R10 == 0 {
			return wait(f, addr)
		}
	case futexWait:
		if f.Regs.R10 == 0 {
			return wait(f, addr)
		}
	}
	return Forward
}

// nobodyWaits says whether Linux has no waiter for the word at addr. The thread has
// changed the word before: who comes to wait and is not seen here sees that.
func nobodyWaits(addr uint64) bool {
	cpu.Fence()
	s := window.Space()
	return atomic.LoadUint64(&s.Unknown) == 0 && atomic.LoadUint32(&s.Waiting[addr/4%abi.FutexBuckets]) == 0
}

// wait looks at the word for a while. As soon as it is not what the thread expects,
// the call has the result of one that was made then. Otherwise it is made at home: up
// to then it was not begun.
func wait(f *window.Frame, addr uint64) Second {
	start, limit := cpu.ReadTSC(), uint64(atomic.LoadUint32(&window.Global().WaitCycles))
	for {
		if !admit.Quiet() && admit.Look() != abi.EvNone {
			return Done // with nothing done: the look after it says the same
		}
		word, ok := uaccess.Load32(addr)
		switch {
		case !ok:
			return Forward
		case word != uint32(f.Regs.RDX):
			return complete(f, abi.AFutex, -eagain)
		case sched.Needed() || cpu.ReadTSC()-start >= limit:
			return Forward
		}
		cpu.Pause()
	}
}
