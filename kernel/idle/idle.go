// Package idle is what a CPU does without a thread: look for one, put it on
// the CPU, and sleep when there is none for a while.
package idle

import (
	"sync/atomic"
	"unsafe"

	"apkern/abi"
	"apkern/kernel/command"
	"apkern/kernel/cpu"
	"apkern/kernel/sched"
	"apkern/kernel/space"
	"apkern/kernel/stat"
	"apkern/kernel/window"
)

// Loop returns when the user frame holds a thread to run, its address space is
// loaded and nothing stands against user mode. It is entered with interrupts
// off and no thread on this CPU; interrupts are on only while the CPU sleeps.
func Loop() {
	for !run(wait()) {
	}
}

// wait returns the thread to run next. It polls for a bounded time, because most
// threads are back within microseconds, and then sleeps between looks.
func wait() sched.Choice {
	atomic.StoreUint32(&window.Self().State, abi.CPUPoll)
	start := cpu.ReadTSC()
	// What is asked each time is asked in place: a call would ask the same, and take longer.
	for now, looked := start, false; ; now, looked = cpu.ReadTSC(), true {
		if c := command.Pending(); c != abi.CmdNone {
			command.Obey(c)
		}
		if space.Pending() {
			space.Serve()
		}
		if sched.Any() {
			if looked {
				sched.Idle()
			}
			if c, ok := sched.Next(now); ok {
				stat.Add(abi.CIdleCycles, now-start)
				return c
			}
		}
		if now-start > atomic.LoadUint64(&window.Global().PollCycles) && !sched.Waiting() {
			sleep()
		} else {
			cpu.Pause()
		}
	}
}

// sleep halts until home or another CPU sends an interrupt. Who makes a thread
// ready looks at cpuhead.state afterwards: it either sees HALT and sends
// abi.VecWake, or the thread is seen here.
func sleep() {
	h := window.Self()
	space.Unload()
	setSpecCtrl(window.Config().SpecCtrl)
	atomic.StoreUint32(&h.State, abi.CPUHalt) // XCHG: a full barrier
	mwait := window.Config().Features&abi.FMWait != 0
	if mwait {
		cpu.Monitor(unsafe.Pointer(&h.Wake)) // before the last look, so that no write is missed
	}
	if !wanted() {
		stat.Inc(abi.CHalt)
		if mwait {
			cpu.WaitMonitor()
		} else {
			cpu.WaitInterrupt()
		}
	}
	atomic.StoreUint32(&h.State, abi.CPUPoll)
}

// wanted says whether there is anything to do.
func wanted() bool {
	return sched.Waiting() || command.Pending() != abi.CmdNone || space.Pending()
}
