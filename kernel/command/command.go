// Package command obeys what home orders a CPU to do (cpuhead.command).
package command

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/klog"
	"apkern/kernel/space"
	"apkern/kernel/window"
)

// Pending returns home's command, abi.CmdNone: none.
func Pending() uint32 { return atomic.LoadUint32(&window.Self().Command) }

// Obey carries out a command. Before abi.CmdPark this CPU's thread must have
// been sent home. It returns only from
// abi.CmdStall, which is then withdrawn, and from a command it does not know.
func Obey(command uint32) {
	switch command {
	case abi.CmdPark:
		park()
	case abi.CmdCrashBounds, abi.CmdCrashPointer, abi.CmdCrashStack:
		crash(command)
	case abi.CmdHang:
		hang()
	case abi.CmdStall:
		stall()
	}
}

// park gives the CPU back: nothing is loaded, and it halts with interrupts off
// until home resets it. CR4.MCE stays set, so that a machine check that is
// broadcast to all CPUs does not shut the machine down.
func park() {
	var l klog.Line
	l.String("parked").Put(abi.LogInfo)
	space.Abandon()
	atomic.StoreUint32(&window.Self().State, abi.CPUParked)
	cpu.Stop()
}
