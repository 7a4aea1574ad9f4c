package idle

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/admit"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/space"
	"apkern/kernel/stat"
	"apkern/kernel/window"
)

// vecProtection is the general protection exception, #GP.
const vecProtection = 13

// run puts a ready thread on the CPU. False: it went back home, or was taken by
// somebody else, and this CPU has none.
func run(c sched.Choice) bool {
	moved := atomic.LoadUint32(&window.Head(c.Slot).Last) != window.Config().Index
	if !slot.Take(c.Slot) {
		return false
	}
	sched.Settle(c)
	atomic.StoreUint32(&window.Self().State, abi.CPURun)
	if event := load(); event != abi.EvNone {
		count(event)
		slot.Post(event)
		return false
	}
	sched.BeginSlice()
	if !admitted() {
		return false
	}
	slot.Begin()
	if moved {
		stat.Inc(abi.CStolen)
	}
	if c.Overdue {
		stat.Inc(abi.COverdue)
	}
	return true
}

// load prepares everything the taken thread needs in user mode. It returns the
// event to go home with if it cannot run here.
func load() uint32 {
	if !sched.MayRun(slot.Index(), window.Config().Index) {
		return abi.EvPreempt // home chooses another CPU
	}
	s := window.Slot()
	switchOwner(s)
	space.Load(s)
	if event := prepareRSEQ(s); event != abi.EvNone {
		return event
	}
	setSpecCtrl(s.SpecCtrl)
	if !slot.Load() {
		s.Regs.Vector, s.Regs.Err = vecProtection, 0
		return abi.EvException
	}
	return abi.EvNone
}

// admitted is the last look before user mode. From here to there interrupts
// stay off, so that what is asked later interrupts the thread.
func admitted() bool {
	event := admit.Look()
	if event != abi.EvNone {
		count(event)
		slot.Post(event)
	}
	return event == abi.EvNone
}

func count(event uint32) {
	switch event {
	case abi.EvRecall:
		stat.Inc(abi.CRecall)
	case abi.EvRSEQ:
		stat.Inc(abi.CRseq)
	case abi.EvException:
		stat.Inc(abi.CException)
	}
}
