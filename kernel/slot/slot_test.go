//go:build !metal

package slot

import (
	"sync"
	"sync/atomic"
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/sched"
	"apkern/kernel/window"
	"pgregory.net/rapid"
)

// ready returns a machine whose slot 70 is in state READY.
func ready() (*window.Sim, *window.SlotPages, *abi.Head) {
	m := window.Reset(1)
	p := m.AddSlot(70)
	h := &m.Global.Head[70]
	h.State = abi.Ready
	m.Global.Ready[1] = 1 << 6
	return m, p, h
}

func TestTakeNeedsReady(t *testing.T) {
	for _, state := range []uint32{abi.Home, abi.Ready, abi.Away | 3<<abi.StateCPUShift, abi.Event} {
		m, _, h := ready()
		h.State = state
		got := Take(70)
		if want := state == abi.Ready; got != want {
			t.Errorf("Take in state %d = %v", state, got)
		}
		if !got && (h.State != state || m.Private.Self.Slot != 0 || m.Private.Stage != window.StageNone) {
			t.Errorf("state %d changed to %d, slot %d", state, h.State, m.Private.Self.Slot)
		}
		if bit := m.Global.Ready[1] != 0; bit == got {
			t.Errorf("taken: %v, its bit is set: %v", got, bit)
		}
		if got && (h.State != abi.Away || m.Private.Self.Slot != 71 || m.Private.Stage != window.StageClaimed) {
			t.Errorf("state %d, slot %d, stage %d", h.State, m.Private.Self.Slot, m.Private.Stage)
		}
	}
}

// Home takes back, the CPU takes, and never both.
func TestTakeAgainstWithdrawal(t *testing.T) {
	m, _, h := ready()
	for range 5000 {
		h.State, m.Private.Self.Slot = abi.Ready, 0
		var home, cpu bool
		var wg sync.WaitGroup
		wg.Go(func() { home = atomic.CompareAndSwapUint32(&h.State, abi.Ready, abi.Home) })
		wg.Go(func() { cpu = Take(70) })
		wg.Wait()
		if home == cpu {
			t.Fatalf("home %v, CPU %v", home, cpu)
		}
	}
}

func TestPostRingsForSleepersOnly(t *testing.T) {
	const icr = cpu.MSRX2APIC + 0x30
	for _, sleeping := range []uint32{0, 1} {
		m, p, h := ready()
		h.Sleeping = sleeping
		Take(70)
		Post(abi.EvRecall)
		if h.State != abi.Event || p.Slot.Event != abi.EvRecall || m.Private.Self.Slot != 0 {
			t.Errorf("state %d, event %d, slot %d", h.State, p.Slot.Event, m.Private.Self.Slot)
		}
		bell, ipi := m.Global.Bell[1] == 1<<6, len(cpu.Machine.Writes(icr)) == 1
		if want := sleeping != 0; bell != want || ipi != want {
			t.Errorf("sleeping %d: bell %v, interrupt %v", sleeping, bell, ipi)
		}
	}
}

func TestTimeAwayIsCredited(t *testing.T) {
	m, p, h := ready()
	p.Slot.Cycles = 1000
	Take(70)
	Begin()
	if h.Since == 0 || h.Last != m.Config.Index {
		t.Errorf("since %d, last %d", h.Since, h.Last)
	}
	cpu.Machine.TSC += 500
	Save()
	Post(abi.EvSyscall)
	if p.Slot.Cycles != 1501 || m.Stat.Count[abi.CUserCycles] != 501 || h.Since != 0 {
		t.Errorf("cycles %d, counted %d, since %d", p.Slot.Cycles, m.Stat.Count[abi.CUserCycles], h.Since)
	}
}

func TestRequeue(t *testing.T) {
	m, _, h := ready()
	Take(70)
	Begin()
	cpu.Machine.TSC += 500
	Requeue()
	if !sched.Waiting() || h.State != abi.Ready || m.Private.Self.Slot != 0 || m.Private.Stage != window.StageNone {
		t.Errorf("waiting %v, state %d, slot %d, stage %d", sched.Waiting(), h.State, m.Private.Self.Slot, m.Private.Stage)
	}
	if h.VRuntime < 500 || m.Private.Charged != 0 || h.Queued == 0 {
		t.Errorf("charged %d, up to %d, ready since %d", h.VRuntime, m.Private.Charged, h.Queued)
	}
}

// A CPU that sleeps is woken for a thread that must wait here.
func TestRequeueWakes(t *testing.T) {
	m := window.Reset(2)
	m.AddSlot(70)
	m.Global.Head[70].State = abi.Ready
	m.Global.CPU[1].State = abi.CPUHalt
	Take(70)
	Requeue()
	if w := cpu.Machine.Writes(cpu.MSRX2APIC + 0x30); len(w) != 1 || w[0] != uint64(m.Global.CPU[1].APICID)<<32|abi.VecWake {
		t.Errorf("interrupts %x", w)
	}
}

func TestMovedHere(t *testing.T) {
	m, _, h := ready()
	h.Last = 5
	Take(70)
	if !MovedHere() {
		t.Error("a thread that ran elsewhere")
	}
	Begin()
	if MovedHere() {
		t.Error("a thread that just ran here")
	}
	m.Private.LastSlot = 3
	if !MovedHere() {
		t.Error("another ran in between")
	}
}

// Whatever home sends, ring 0 never loads a value that faults there, and user
// mode gets no right from it.
func TestLoadIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, p, _ := ready()
		if rapid.Bool().Draw(t, "la57") {
			m.Config.Features |= abi.FLA57
		}
		s := &p.Slot
		addr := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 1<<47-1), rapid.Just(uint64(1)<<47), rapid.Just(uint64(1)<<56), rapid.Just(^uint64(0)))
		s.Regs = abi.Regs{RIP: addr.Draw(t, "rip"), RFlags: rapid.Uint64().Draw(t, "flags"),
			CS: rapid.Uint64().Draw(t, "cs"), SS: rapid.Uint64().Draw(t, "ss"), RAX: rapid.Uint64().Draw(t, "rax")}
		s.FSBase, s.GSBase = addr.Draw(t, "fs"), addr.Draw(t, "gs")
		Take(70)
		bits := 47
		if m.Config.Features&abi.FLA57 != 0 {
			bits = 56
		}
		canonical := func(v uint64) bool { return v>>bits == 0 || v>>bits == ^uint64(0)>>bits }
		want := canonical(s.Regs.RIP) && canonical(s.FSBase) && canonical(s.GSBase)
		if got := Load(); got != want {
			t.Fatalf("Load = %v, want %v", got, want)
		}
		if !want {
			return
		}
		r := &m.Frame.Regs
		const iopl, vm, interrupts = 3 << 12, 1 << 17, 1 << 9
		if r.CS != UserCS || r.SS != UserSS || r.RFlags&(iopl|vm) != 0 || r.RFlags&interrupts == 0 {
			t.Errorf("cs %#x, ss %#x, flags %#x", r.CS, r.SS, r.RFlags)
		}
		if r.RAX != s.Regs.RAX || r.RIP != s.Regs.RIP || m.Frame.FSBase != s.FSBase {
			t.Error("registers lost")
		}
	})
}

func TestSaveStoresEverything(t *testing.T) {
	m, p, _ := ready()
	Take(70)
	m.Frame.Regs = abi.Regs{R15: 15, RAX: 1, RIP: 0x400000, RSP: 0x7000}
	m.Frame.FSBase = 0xf5
	m.Frame.XMM[15] = [2]uint64{0xaa, 0xbb}
	cpu.Machine.GSBase = 0x65
	cpu.Machine.Selectors = [4]uint32{1, 2, 3, 4}
	p.Slot.XMask = 7
	for range 2 { // the fatal path may repeat it
		Save()
		s := &p.Slot
		if s.Regs != m.Frame.Regs || s.FSBase != 0xf5 || s.GSBase != 0x65 || [4]uint32{s.DS, s.ES, s.FS, s.GS} != [4]uint32{1, 2, 3, 4} {
			t.Errorf("%+v", s)
		}
		if p.FPU[160+15*16] != 0xaa || p.FPU[160+15*16+8] != 0xbb || p.FPU[512] != 7 {
			t.Error("extended state not saved")
		}
	}
}
