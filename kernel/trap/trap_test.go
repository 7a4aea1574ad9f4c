//go:build !metal

package trap

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/idle"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

const (
	eoi = cpu.MSRX2APIC + 0x0b
	icr = cpu.MSRX2APIC + 0x30
)

// running returns a machine with slot 3 in user mode, its space loaded.
func running(t *testing.T) (*window.Sim, *window.SlotPages) {
	t.Helper()
	m := window.Reset(2)
	m.Private.TimerScale = 1
	m.Global.SliceCycles = 100
	p := m.AddSlot(3)
	sp, phys := m.AddSpace(7)
	p.Slot.SpaceID, p.Slot.SpacePhys = 7, phys
	m.Global.Head[3].State = abi.Ready
	if !slot.Take(3) {
		t.Fatal("not taken")
	}
	m.Private.Self.Space, m.Private.Self.State = 7, abi.CPURun
	window.MapSpace(phys)
	m.Private.Generation = sp.Generation
	slot.Begin()
	return m, p
}

// enter has a trap from user mode dispatched.
func enter(m *window.Sim, vector uint64) uint64 {
	m.Frame.Regs.Vector, m.Frame.Regs.CS, m.Frame.Regs.RIP = vector, slot.UserCS, 0x401000
	return Dispatch(&m.Frame)
}

func TestHomecomings(t *testing.T) {
	tests := []struct {
		name   string
		vector uint64
		cr2    uint64
		event  uint32
		count  int
	}{
		{"system call", VecSyscall, 0, abi.EvSyscall, abi.CSyscall},
		{"page fault", 14, 0x7000, abi.EvFault, abi.CFault},
		{"page fault beyond user addresses", 14, 0xffffffff80001000, abi.EvException, abi.CException},
		{"division", 0, 0, abi.EvException, abi.CException},
		{"debug", 1, 0, abi.EvException, abi.CException},
		{"breakpoint", 3, 0, abi.EvException, abi.CException},
		{"invalid instruction", 6, 0, abi.EvException, abi.CException},
		{"general protection", 13, 0, abi.EvException, abi.CException},
		{"SIMD", 19, 0, abi.EvException, abi.CException},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, p := running(t)
			cpu.Machine.CR2, cpu.Machine.DR6 = tt.cr2, 0xffff4ff0
			m.Frame.Regs.RBX = 0xb
			if out := enter(m, tt.vector); out != Leave {
				t.Fatalf("Dispatch = %d", out)
			}
			s := &p.Slot
			if m.Global.Head[3].State != abi.Event || s.Event != tt.event || m.Stat.Count[tt.count] != 1 {
				t.Errorf("state %d, event %d, counted %d", m.Global.Head[3].State, s.Event, m.Stat.Count[tt.count])
			}
			if s.Regs.RIP != 0x401000 || s.Regs.RBX != 0xb || s.Regs.Vector != tt.vector {
				t.Errorf("registers %+v", s.Regs)
			}
			if tt.vector == 14 && s.CR2 != tt.cr2 {
				t.Errorf("CR2 %#x", s.CR2)
			}
			if tt.vector == 1 && (s.DR6 != 0xffff4ff0 || cpu.Machine.DR6 != dr6Clear) {
				t.Errorf("DR6 %#x, left as %#x", s.DR6, cpu.Machine.DR6)
			}
			if m.Private.Self.Space != 7 {
				t.Error("the space must stay loaded")
			}
		})
	}
}

// What the entry code has put into the slot, it does not put there again.
func TestForward(t *testing.T) {
	m, p := running(t)
	m.Frame.Regs.RIP, m.Frame.Regs.RBX, m.Frame.Regs.Vector, m.Frame.FSBase = 0x401000, 0xb, VecSyscall, 0xf5
	p.FPU[160] = 1
	Forward()
	s := &p.Slot
	if m.Global.Head[3].State != abi.Event || s.Event != abi.EvSyscall || m.Stat.Count[abi.CSyscall] != 1 {
		t.Errorf("state %d, event %d, counted %d", m.Global.Head[3].State, s.Event, m.Stat.Count[abi.CSyscall])
	}
	if s.Regs != m.Frame.Regs || s.FSBase != 0xf5 || p.FPU[160] != 1 || m.Private.Self.Slot != 0 {
		t.Errorf("registers %+v, fs %#x, FPU %d, slot %d", s.Regs, s.FSBase, p.FPU[160], m.Private.Self.Slot)
	}
}

func TestInterruptsThatChangeNothing(t *testing.T) {
	for _, tt := range []struct {
		vector uint64
		count  int
		eoi    int
	}{
		{abi.VecWake, abi.CIrqWake, 1},
		{abi.VecRecall, abi.CIrqRecall, 1}, // for a thread that left meanwhile
		{abi.VecFlush, abi.CIrqFlush, 1},   // answered before it was taken
		{abi.VecResched, abi.CIrqResched, 1},
		{abi.VecTimer, abi.CIrqTimer, 1},
		{abi.VecSpurious, abi.CIrqOther, 0},
		{0x20, abi.CIrqOther, 1},
		{0xfb, abi.CIrqOther, 1},
	} {
		m, _ := running(t)
		if out := enter(m, tt.vector); out != Resume || m.Private.Stage != window.StageUser {
			t.Errorf("vector %#x: %d, stage %d", tt.vector, out, m.Private.Stage)
		}
		if got := len(cpu.Machine.Writes(eoi)); got != tt.eoi || m.Stat.Count[tt.count] != 1 {
			t.Errorf("vector %#x: %d acknowledgements, counted %d", tt.vector, got, m.Stat.Count[tt.count])
		}
		if m.Global.Head[3].State&abi.StateMask != abi.Away {
			t.Errorf("vector %#x: state %d", tt.vector, m.Global.Head[3].State)
		}
	}
}

// The recall's interrupt may have come and gone: the flag alone must do, at
// whatever interrupt is next.
func TestRecallFlagBeforeEveryResume(t *testing.T) {
	for _, vector := range []uint64{abi.VecRecall, abi.VecFlush, abi.VecWake, abi.VecResched, abi.VecTimer, 0x20, abi.VecSpurious} {
		m, p := running(t)
		m.Global.Head[3].Recall = 1
		if out := enter(m, vector); out != Leave || p.Slot.Event != abi.EvRecall {
			t.Errorf("vector %#x: %d, event %d", vector, out, p.Slot.Event)
		}
	}
}

// A recall that arrives while the CPU is busy with a flush.
func TestRecallDuringFlush(t *testing.T) {
	m, p := running(t)
	m.Private.Self.FlushReq = 1
	cpu.Machine.OnCR3 = func() { m.Global.Head[3].Recall = 1 }
	if out := enter(m, abi.VecFlush); out != Leave || p.Slot.Event != abi.EvRecall || m.Private.Self.FlushAck != 1 {
		t.Errorf("%d, event %d, acknowledged %d", out, p.Slot.Event, m.Private.Self.FlushAck)
	}
}

func TestFlushWhileRunning(t *testing.T) {
	m, _ := running(t)
	window.Space().Top[8] = 0x88
	window.Space().Generation++
	m.Private.Self.FlushReq = 2
	if out := enter(m, 0x20); out != Resume { // any interrupt will do
		t.Fatalf("Dispatch = %d", out)
	}
	if m.Private.Self.FlushAck != 2 || m.Top[8] != 0x88 || cpu.Machine.CR3 != m.Config.UserTop {
		t.Errorf("acknowledged %d, entry %#x, CR3 %#x", m.Private.Self.FlushAck, m.Top[8], cpu.Machine.CR3)
	}
}

func TestSliceBeginsWhenOthersWait(t *testing.T) {
	for _, vector := range []uint64{abi.VecWake, abi.VecResched} {
		m, _ := running(t)
		m.AddSlot(4)
		sched.Enqueue(4)
		m.Global.Head[4].VRuntime = 1000
		if out := enter(m, vector); out != Resume || m.Private.Self.Ticking != 1 {
			t.Errorf("vector %#x: %d, ticking %d", vector, out, m.Private.Self.Ticking)
		}
	}
}

// A thread that has run less takes over at once when home asks this CPU; when home
// only says that somebody waits, it gets its turn by time slice.
func TestWhoRanLessInterruptsASlice(t *testing.T) {
	for _, tt := range []struct {
		vector, lead uint64
		yields       bool
	}{{abi.VecResched, 1000, true}, {abi.VecResched, 0, false}, {abi.VecWake, 1000, false}} {
		m, _ := running(t)
		m.AddSlot(5)
		sched.Enqueue(5)
		m.Global.Head[3].VRuntime = tt.lead
		want, state, count := uint64(Resume), uint32(abi.Away), uint64(0)
		if tt.yields {
			want, state, count = Leave, abi.Ready, 1
		}
		if got := enter(m, tt.vector); got != want || m.Stat.Count[abi.CYield] != count {
			t.Errorf("%+v: %d, want %d; counted %d", tt, got, want, m.Stat.Count[abi.CYield])
		}
		if got := m.Global.Head[3].State & abi.StateMask; got != state {
			t.Errorf("%+v: the running thread's state is %d, want %d", tt, got, state)
		}
	}
}

func TestPreempt(t *testing.T) {
	m, p := running(t)
	m.AddSlot(4)
	sched.Enqueue(4)
	m.Global.Head[3].VRuntime = 1000
	m.Global.CPU[1].State = abi.CPUHalt
	m.Private.Self.Ticking = 1
	if out := enter(m, abi.VecTimer); out != Leave {
		t.Fatalf("Dispatch = %d", out)
	}
	if m.Global.Head[3].State != abi.Ready || p.Slot.Regs.RIP != 0x401000 || m.Private.Self.Ticking != 0 {
		t.Errorf("state %d, rip %#x, ticking %d", m.Global.Head[3].State, p.Slot.Regs.RIP, m.Private.Self.Ticking)
	}
	if next, ok := sched.Next(cpu.ReadTSC()); !ok || next.Slot != 4 {
		t.Errorf("next is %+v, %v", next, ok)
	}
	if w := cpu.Machine.Writes(icr); len(w) != 1 || w[0] != uint64(m.Global.CPU[1].APICID)<<32|abi.VecWake {
		t.Errorf("interrupts %x: the halted CPU must be woken", w)
	}
}

// A slice that ends goes on with the same thread when that has run least.
func TestSliceEndsForTheOneBehind(t *testing.T) {
	m, _ := running(t)
	m.AddSlot(4)
	sched.Enqueue(4)
	m.Global.Head[4].VRuntime = 1000
	m.Private.Self.Ticking = 1
	if out := enter(m, abi.VecTimer); out != Resume || m.Private.Self.Ticking != 1 || m.Stat.Count[abi.CPreempt] != 0 {
		t.Errorf("%d, ticking %d, counted %d", out, m.Private.Self.Ticking, m.Stat.Count[abi.CPreempt])
	}
}

func TestPark(t *testing.T) {
	m, p := running(t)
	m.Private.Self.Command = abi.CmdPark
	if out := enter(m, abi.VecWake); out != Leave || m.Global.Head[3].State != abi.Event {
		t.Fatalf("Dispatch = %d, state %d", out, m.Global.Head[3].State)
	}
	defer func() {
		if recover() != (cpu.Stopped{}) {
			t.Fatal("did not stop")
		}
		if p.Slot.Event != abi.EvPark || m.Private.Self.State != abi.CPUParked || m.Private.Self.Space != 0 {
			t.Errorf("event %d, state %d, space %d", p.Slot.Event, m.Private.Self.State, m.Private.Self.Space)
		}
	}()
	idle.Loop()
}

func TestRing0(t *testing.T) {
	ring0 := func(m *window.Sim, vector, rip uint64) (*window.Frame, uint64) {
		f := &window.Frame{Regs: abi.Regs{Vector: vector, CS: 0x10, RIP: rip}}
		return f, Dispatch(f)
	}
	t.Run("refused user access", func(t *testing.T) {
		m, _ := running(t)
		m.Private.Stage = window.StageClaimed
		f, out := ring0(m, 14, uaccess.AccessPC)
		if out != Resume || f.Regs.RIP != uaccess.RefusedPC || m.Private.Stage != window.StageClaimed {
			t.Errorf("%d, rip %#x, stage %d", out, f.Regs.RIP, m.Private.Stage)
		}
	})
	t.Run("refused extended state", func(t *testing.T) {
		m, p := running(t)
		m.Private.RestorePC = 0xffffffff81000300
		p.Slot.Regs.RIP = 0x1234
		_, out := ring0(m, 13, m.Private.RestorePC)
		if out != Leave || p.Slot.Event != abi.EvException || p.Slot.Regs.Vector != 13 || p.Slot.Regs.RIP != 0x1234 {
			t.Errorf("%d, event %d, vector %d, rip %#x", out, p.Slot.Event, p.Slot.Regs.Vector, p.Slot.Regs.RIP)
		}
	})
	t.Run("timer while asleep", func(t *testing.T) {
		m := window.Reset(1)
		m.Private.Self.Ticking = 1
		if _, out := ring0(m, abi.VecTimer, 0); out != Resume || m.Private.Self.Ticking != 0 {
			t.Errorf("%d, ticking %d", out, m.Private.Self.Ticking)
		}
	})
	t.Run("anything else is fatal", func(t *testing.T) {
		m, p := running(t)
		m.Private.Stage = window.StageFrame
		defer func() {
			if recover() != (cpu.Stopped{}) {
				t.Fatal("did not stop")
			}
			if m.Private.Self.State != abi.CPUFailed || m.Config.Fatal.Kind != abi.FatalTrap || p.Slot.Event != abi.EvFatal {
				t.Errorf("state %d, kind %d, event %d", m.Private.Self.State, m.Config.Fatal.Kind, p.Slot.Event)
			}
		}()
		ring0(m, 14, 0xffffffff81000999)
	})
}
