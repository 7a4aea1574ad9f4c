package command

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/klog"
	"apkern/kernel/window"
)

// Injected failures: real faults of the kinds a mistake in the application
// kernel would cause, so that the whole fatal path is what runs.

var table [4]uint32

// crash fails in the way the command names.
func crash(command uint32) {
	switch command {
	case abi.CmdCrashBounds:
		table[command+uint32(len(table))]++
	case abi.CmdCrashPointer:
		*window.Hole()++
	case abi.CmdCrashStack:
		table[0] = recurse(1 << 20)
	}
}

// recurse uses more stack than there is.
func recurse(depth uint32) uint32 {
	if depth == 0 {
		return 0
	}
	return recurse(depth-1) + depth
}

// stall does not answer for a while, and then goes on.
func stall() {
	for start := cpu.ReadTSC(); cpu.ReadTSC()-start < abi.StallMS*window.Global().TSCKHz; {
		cpu.Pause()
	}
	atomic.CompareAndSwapUint32(&window.Self().Command, abi.CmdStall, abi.CmdNone)
	var l klog.Line
	l.String("stalled").Put(abi.LogInfo)
}

// hang stops answering, as an endless loop in ring 0 would.
func hang() {
	for {
		cpu.Pause()
	}
}
