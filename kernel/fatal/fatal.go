// Package fatal is the end of an application kernel that failed: it says what
// happened and where, sends this CPU's thread home, lets go of everything
// that Linux might wait for, and stops the CPU. Linux and the other CPUs carry
// on.
package fatal

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/klog"
	"apkern/kernel/lapic"
	"apkern/kernel/slot"
	"apkern/kernel/space"
	"apkern/kernel/window"
)

// failure is what is known about it.
type failure struct {
	kind                       uint32 // abi.FatalTrap and following
	vector, err, rip, rsp, cr2 uint64
}

// Trap is called for an exception in ring 0 that nothing foresaw. It does not
// return.
func Trap(f *window.Frame) {
	r := &f.Regs
	fail(&failure{abi.FatalTrap, r.Vector, r.Err, r.RIP, r.RSP, cpu.ReadCR2()})
}

// Stop is called by the entry code, on the double fault's stack or the machine
// check's, for failures that have no trap frame: pc is a return address for
// abi.FatalPanic and abi.FatalStack, else the interrupted instruction. It does
// not return.
func Stop(kind, pc, sp uint64) {
	if kind == abi.FatalPanic || kind == abi.FatalStack {
		pc-- // into the call, which is the line that failed
	}
	fail(&failure{kind: uint32(kind), rip: pc, rsp: sp, cr2: cpu.ReadCR2()})
}

func fail(x *failure) {
	p := window.GetPrivate()
	if p.Failing == 0 {
		p.Failing = 1
		report(x)
		if x.kind != abi.FatalCheck { // after one, no register is to be trusted
			rescue(p.Stage)
		}
	}
	space.Abandon()
	atomic.StoreUint32(&window.Self().State, abi.CPUFailed)
	lapic.RingBell()
	cpu.Stop()
}

// rescue sends the thread home if its registers are known. Otherwise it stays
// in state AWAY, and home ends it.
func rescue(stage window.Stage) {
	switch stage {
	case window.StageFrame:
		slot.Save()
		slot.Post(abi.EvFatal)
	case window.StageCall:
		slot.SaveGeneral()
		slot.Post(abi.EvFatal)
	case window.StageClaimed:
		slot.Post(abi.EvFatal)
	}
}

// report fills cfg.fatal and writes the line for the log.
func report(x *failure) {
	d := &window.Config().Fatal
	d.Vector, d.Err, d.RIP, d.RSP, d.CR2 = x.vector, x.err, x.rip, x.rsp, x.cr2
	var text, file, line klog.Line
	describe(&text, x)
	text.CopyTo(d.Text[:])
	line.String("fatal: ").Text(d.Text[:]).String(" at ")
	if n, ok := findLine(&file, x.rip); ok {
		file.CopyTo(d.File[:])
		d.Line = n
		line.Text(d.File[:]).Byte(':').Dec(uint64(n))
	} else {
		line.String("pc")
	}
	line.Byte(' ').Hex(x.rip).Put(abi.LogFatal)
	atomic.StoreUint32(&d.Kind, x.kind)
}

// describe names the failure.
func describe(l *klog.Line, x *failure) {
	switch x.kind {
	case abi.FatalPanic:
		l.String("Go panic (index, nil, division or throw)")
	case abi.FatalStack:
		l.String("stack used up")
	case abi.FatalDouble:
		l.String("double fault, address ").Hex(x.cr2)
	case abi.FatalCheck:
		l.String("machine check that cannot be survived")
	default:
		l.String("exception ").Dec(x.vector).String(", error ").Hex(x.err)
		if x.vector == vecPageFault {
			l.String(", address ").Hex(x.cr2)
		}
	}
}

const vecPageFault = 14
