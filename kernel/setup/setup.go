// Package setup brings a CPU from the trampoline's bare long mode to one that
// can run threads.
package setup

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/klog"
	"apkern/kernel/lapic"
	"apkern/kernel/window"
)

// Entries are the addresses of the entry code.
type Entries struct {
	Stubs        uint64 // of vector 0; StubSize bytes further for each one
	Debug        uint64 // vectors with stacks of their own
	NMI          uint64
	DoubleFault  uint64
	MachineCheck uint64
	Syscall      uint64
	Restore      uint64 // the XRSTOR that loads a thread's extended state
}

// StubSize is the distance between the stubs of two vectors.
const StubSize = 16

// CPU sets this CPU up and tells home that it is alive. It is called once, by
// the entry code, with interrupts off and CR0 and CR4 complete.
func CPU(e *Entries) {
	c, p := window.Config(), window.GetPrivate()
	p.Self = window.CPU(c.Index)
	p.RestorePC = e.Restore
	p.KernelDS = kernelDS
	begin(p.Self)
	loadTables(p, e)
	loadMSRs(c, e)
	cpu.InitFPU(cpu.MXCSRDefault)
	c.FoundAPICID = lapic.Enable()
	c.FoundMicrocode = microcode()
	lapic.CalibrateTimer()
	if c.Features&abi.FTSCAdjust != 0 {
		cpu.WriteMSR(cpu.MSRTSCAdjust, c.TSCAdjust)
	}
	warpTest(&c.Warp)
	var l klog.Line
	l.String("application CPU ").Dec(uint64(c.Index)).String(" is Linux CPU ").Dec(uint64(c.LinuxCPU))
	l.String(", APIC id ").Dec(uint64(c.FoundAPICID)).Put(abi.LogInfo)
	atomic.StoreUint32(&c.Alive, 1)
}

// begin makes this CPU's part of its entry true: nothing runs, nothing is
// loaded, so that no flush is outstanding. A CPU may be started again.
func begin(h *abi.CPUHead) {
	atomic.StoreUint32(&h.Slot, 0)
	atomic.StoreUint64(&h.Space, 0)
	atomic.StoreUint64(&h.FlushAck, atomic.LoadUint64(&h.FlushReq))
	atomic.StoreUint32(&h.Ticking, 0)
	atomic.StoreUint32(&h.State, abi.CPUPoll)
}
