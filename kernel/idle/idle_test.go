//go:build !metal

package idle

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unsafe"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// machine returns one CPU of two and slot 3, ready to run in space 7.
func machine() (*window.Sim, *window.SlotPages, *abi.Head) {
	m := window.Reset(2)
	m.Global.PollCycles = 100
	m.Private.TimerScale = 1
	p := m.AddSlot(3)
	_, phys := m.AddSpace(7)
	p.Slot.SpaceID, p.Slot.SpacePhys = 7, phys
	h := &m.Global.Head[3]
	h.Last = abi.MaxCPUs
	sched.Enqueue(3)
	return m, p, h
}

func TestLoopPutsAThreadOnTheCPU(t *testing.T) {
	m, p, h := machine()
	p.Slot.Regs.RIP, p.Slot.FSBase = 0x1234, 0xf5
	Loop()
	if h.State != abi.Away || m.Private.Self.Slot != 4 || m.Private.Self.State != abi.CPURun || m.Private.Self.Space != 7 {
		t.Errorf("state %d, slot %d, CPU state %d, space %d", h.State, m.Private.Self.Slot, m.Private.Self.State, m.Private.Self.Space)
	}
	if m.Frame.Regs.RIP != 0x1234 || m.Frame.FSBase != 0xf5 || m.Private.Stage != window.StageUser || h.Since == 0 {
		t.Errorf("rip %#x, fs %#x, stage %d, since %d", m.Frame.Regs.RIP, m.Frame.FSBase, m.Private.Stage, h.Since)
	}
	if cpu.Machine.CR3 != m.Config.UserTop || m.Stat.Count[abi.CRun] != 1 {
		t.Errorf("CR3 %#x, counted %d", cpu.Machine.CR3, m.Stat.Count[abi.CRun])
	}
}

func TestThreadsThatDoNotRun(t *testing.T) {
	tests := []struct {
		name  string
		set   func(*window.Sim, *abi.Slot, *abi.Head)
		state uint32
		event uint32
	}{
		{"withdrawn", func(_ *window.Sim, _ *abi.Slot, h *abi.Head) { h.State = abi.Home }, abi.Home, abi.EvNone},
		{"recalled", func(_ *window.Sim, _ *abi.Slot, h *abi.Head) { h.Recall = 1 }, abi.Event, abi.EvRecall},
		{"may not run here", func(_ *window.Sim, _ *abi.Slot, h *abi.Head) { h.CPUs[0] = 2 }, abi.Event, abi.EvPreempt},
		{"registers the CPU refuses", func(_ *window.Sim, s *abi.Slot, _ *abi.Head) { s.GSBase = 1 << 60 }, abi.Event, abi.EvException},
		{"moved inside a sequence", func(_ *window.Sim, s *abi.Slot, _ *abi.Head) {
			s.RSEQ, s.RSEQCPU = 0x9000, 1
			uaccess.User = map[uint64]uint32{0x9000: 1, 0x9004: 1, 0x9008: 0x401000, 0x900c: 0}
		}, abi.Event, abi.EvRSEQ},
		{"area not readable", func(_ *window.Sim, s *abi.Slot, _ *abi.Head) {
			s.RSEQ, s.RSEQCPU = 0x9000, 1
			uaccess.User = map[uint64]uint32{}
		}, abi.Event, abi.EvRSEQ},
		{"recalled while its space is loaded", func(_ *window.Sim, _ *abi.Slot, h *abi.Head) {
			cpu.Machine.OnCR3 = func() { h.Recall = 1 }
		}, abi.Event, abi.EvRecall},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, p, h := machine()
			tt.set(m, &p.Slot, h)
			before := p.Slot.Regs
			if run(sched.Choice{Slot: 3}) {
				t.Fatal("it runs")
			}
			if h.State != tt.state || tt.event != abi.EvNone && p.Slot.Event != tt.event {
				t.Errorf("state %d, event %d", h.State, p.Slot.Event)
			}
			if m.Private.Self.Slot != 0 || m.Private.Stage != window.StageNone {
				t.Errorf("slot %d, stage %d", m.Private.Self.Slot, m.Private.Stage)
			}
			before.Vector = p.Slot.Regs.Vector
			if p.Slot.Regs != before {
				t.Error("registers changed")
			}
		})
	}
}

func TestRSEQNumberIsWritten(t *testing.T) {
	m, p, _ := machine()
	m.Config.LinuxCPU = 6
	p.Slot.RSEQ, p.Slot.RSEQCPU = 0x9000, 0
	uaccess.User = map[uint64]uint32{0x9000: 0, 0x9004: 0, 0x9008: 0, 0x900c: 0}
	Loop()
	if uaccess.User[0x9000] != 6 || uaccess.User[0x9004] != 6 || p.Slot.RSEQCPU != 6 {
		t.Errorf("%v, slot says %d", uaccess.User, p.Slot.RSEQCPU)
	}
}

// A thread that comes back to its CPU with nobody in between keeps its
// sequence: after a served fault, for example.
func TestSequenceSurvivesAServedFault(t *testing.T) {
	m, p, h := machine()
	p.Slot.RSEQ, p.Slot.RSEQCPU = 0x9000, m.Config.LinuxCPU
	uaccess.User = map[uint64]uint32{0x9008: 0x401000, 0x900c: 0}
	h.Last, m.Private.LastSlot = m.Config.Index, 4
	Loop()
	if h.State != abi.Away {
		t.Errorf("state %d, event %d", h.State, p.Slot.Event)
	}
}

func TestFlushWhileIdle(t *testing.T) {
	m, _, _ := machine()
	Loop()
	m.Private.Self.Slot, m.Private.Stage = 0, window.StageNone // its thread went home
	m.Private.Self.FlushReq = 1
	cpu.Machine.OnPause = func() {
		if m.Private.Self.FlushAck != 1 || m.Private.Self.Space != 0 {
			t.Errorf("acknowledged %d, space %d", m.Private.Self.FlushAck, m.Private.Self.Space)
		}
		panic(cpu.Stopped{})
	}
	defer func() {
		if recover() != (cpu.Stopped{}) {
			t.Error("it did not poll")
		}
	}()
	Loop()
}

// A thread that is queued after the last look and before the CPU says HALT is
// found without an interrupt.
func TestNothingIsLostOnTheWayToSleep(t *testing.T) {
	for _, mwait := range []uint32{0, abi.FMWait} {
		m, _, _ := machine()
		sched.Claim(3, abi.Home)
		m.Config.Features |= mwait
		m.Private.Self.Space, m.Global.PollCycles = 9, 0
		window.MapSpace(0x80000000 + 7*abi.PageSize)
		cpu.Machine.OnCR3 = func() { // unloading, the step before
			cpu.Machine.OnCR3 = nil
			sched.Enqueue(3)
		}
		cpu.Machine.OnHalt = func() { t.Fatal("it sleeps with a thread waiting") }
		Loop()
	}
}

func TestSleep(t *testing.T) {
	for _, mwait := range []uint32{0, abi.FMWait} {
		m, _, _ := machine()
		sched.Claim(3, abi.Home)
		m.Config.Features |= mwait
		slept := 0
		cpu.Machine.OnHalt = func() {
			slept++
			if m.Private.Self.State != abi.CPUHalt || m.Private.Self.Space != 0 {
				t.Errorf("sleeps in state %d with space %d", m.Private.Self.State, m.Private.Self.Space)
			}
			if slept == 3 { // woken twice for nothing
				sched.Enqueue(3)
			}
		}
		Loop()
		if slept != 3 || m.Stat.Count[abi.CHalt] != 3 {
			t.Errorf("slept %d times, counted %d", slept, m.Stat.Count[abi.CHalt])
		}
		if monitored := cpu.Machine.Count(cpu.OpMonitor) > 0; monitored != (mwait != 0) {
			t.Errorf("MONITOR used: %v", monitored)
		}
	}
}

func TestPark(t *testing.T) {
	m, p, h := machine()
	m.Private.Self.Command = abi.CmdPark
	defer func() {
		if recover() != (cpu.Stopped{}) {
			t.Fatal("did not stop")
		}
		if m.Private.Self.State != abi.CPUParked || h.State != abi.Ready || p.Slot.Event != abi.EvNone {
			t.Errorf("CPU state %d, thread state %d", m.Private.Self.State, h.State)
		}
	}()
	Loop()
}

// The command comes while a thread is being put on the CPU.
func TestParkOnTheWayToUserMode(t *testing.T) {
	m, p, h := machine()
	cpu.Machine.OnCR3 = func() { m.Private.Self.Command = abi.CmdPark }
	defer func() {
		if recover() != (cpu.Stopped{}) {
			t.Fatal("did not stop")
		}
		if m.Private.Self.State != abi.CPUParked || h.State != abi.Event || p.Slot.Event != abi.EvPark {
			t.Errorf("CPU state %d, thread state %d, event %d", m.Private.Self.State, h.State, p.Slot.Event)
		}
	}()
	Loop()
}

func TestStolenThreadIsCounted(t *testing.T) {
	for last, want := range []uint64{0, 1} {
		m, _, h := machine()
		h.Last = uint32(last)
		m.Global.CPU[1].State = abi.CPURun
		Loop()
		if m.Stat.Count[abi.CStolen] != want {
			t.Errorf("last on CPU %d: counted %d", last, m.Stat.Count[abi.CStolen])
		}
	}
}

func TestOwnersAreKeptApart(t *testing.T) {
	m, p, _ := machine()
	m.Config.Features |= abi.FIBPB | abi.FSpecCtrl
	p.Slot.Owner, p.Slot.SpecCtrl = 1000, 4
	Loop()
	if w := cpu.Machine.Writes(cpu.MSRPredCmd); len(w) != 1 || w[0] != 1 {
		t.Errorf("barriers %v, want one", w)
	}
	if w := cpu.Machine.Writes(cpu.MSRSpecCtrl); len(w) != 1 || w[0] != 4 {
		t.Errorf("speculation control %v", w)
	}
	if cpu.Machine.Count(cpu.OpFillRSB) != 1 {
		t.Error("return stack buffer not filled")
	}
	switchOwner(&p.Slot) // the same owner and thread again
	setSpecCtrl(4)
	if len(cpu.Machine.Writes(cpu.MSRPredCmd)) != 1 || len(cpu.Machine.Writes(cpu.MSRSpecCtrl)) != 1 || cpu.Machine.Count(cpu.OpFillRSB) != 1 {
		t.Error("paid again for nothing")
	}
}

// While a thread runs, nothing of another one's registers is mapped: neither in
// the private pages nor where the entry code put them, nor another one's slot.
func TestNothingOfOthersIsMapped(t *testing.T) {
	const secret = 0x5ec4e75ec4e75ec4
	m, p, _ := machine()
	Loop()
	for i := range m.Frame.XMM {
		m.Frame.XMM[i] = [2]uint64{secret, secret}
	}
	m.Frame.Regs.RAX, m.Frame.Regs.R15, m.Frame.FSBase = secret, secret, secret
	m.Private.UserSP = secret
	for i := range m.Debug {
		m.Debug[i] = secret
	}
	slot.Save()
	slot.Post(abi.EvSyscall)
	if p.Slot.Regs.R15 != secret {
		t.Fatal("the thread's registers are not in its slot")
	}

	next := m.AddSlot(5)
	next.Slot.SpaceID, next.Slot.SpacePhys = p.Slot.SpaceID, p.Slot.SpacePhys
	m.Global.Head[5].Last = abi.MaxCPUs
	sched.Enqueue(5)
	Loop()
	if window.Slot() != &next.Slot {
		t.Error("the slot of the thread before is still mapped")
	}
	expectNothing(t, m, secret)
}

// The same for a thread that has the slot of one that ended.
func TestNothingIsInherited(t *testing.T) {
	const secret = 0x5ec4e75ec4e75ec4
	m, p, h := machine()
	Loop()
	for i := range m.Frame.XMM {
		m.Frame.XMM[i] = [2]uint64{secret, secret}
	}
	slot.Save()
	slot.Post(abi.EvSyscall)
	p.Slot.Regs, h.Last = abi.Regs{}, abi.MaxCPUs
	sched.Enqueue(3)
	Loop()
	expectNothing(t, m, secret)
}

func expectNothing(t *testing.T, m *window.Sim, secret uint64) {
	t.Helper()
	for what, b := range map[string][]byte{
		"private state": bytesOf(&m.Private), "trap stack": bytesOf(&m.Frame), "debug stack": bytesOf(&m.Debug),
		"configuration": bytesOf(&m.Config), "counters": bytesOf(&m.Stat), "log": bytesOf(&m.Log),
		"global region": bytesOf(m.Global),
	} {
		if bytes.Contains(b, binary.LittleEndian.AppendUint64(nil, secret)) {
			t.Errorf("%s: registers of the thread before are there", what)
		}
	}
}

func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
