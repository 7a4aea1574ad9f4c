//go:build !metal

package answer

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/window"
)

const everything = 1<<abi.AnswerCount - 1

// running returns a machine whose CPU runs slot 3, which may have all calls answered
// and has just made one.
func running(t *testing.T, call uint64) (*window.Sim, *window.Frame) {
	t.Helper()
	m := window.Reset(2)
	m.Private.TimerScale, m.Global.SliceCycles = 1, 1000
	p := m.AddSlot(3)
	p.Slot.TGID, p.Slot.TID = 41, 42
	sp, phys := m.AddSpace(7)
	p.Slot.SpaceID, p.Slot.SpacePhys = 7, phys
	h := &m.Global.Head[3]
	h.State, h.Answers = abi.Ready, everything
	if !slot.Take(3) {
		t.Fatal("not taken")
	}
	m.Private.Self.Space, m.Private.Self.State = 7, abi.CPURun
	window.MapSpace(phys)
	m.Private.Generation = sp.Generation
	sched.BeginSlice()
	slot.Begin()
	f := &m.Frame
	f.Regs.RAX, f.Regs.RIP, f.Regs.RCX, f.Regs.RFlags, f.Regs.R11 = call, 0x401000, 0x401002, 0x202, 0x202
	return m, f
}

func TestFirst(t *testing.T) {
	for _, tt := range []struct {
		call, result uint64
		out          uint64
		counter      int
	}{
		{abi.NRSchedYield, 0, Answered, abi.CAnswerSchedYield},
		{abi.NRGetpid, 41, Answered, abi.CAnswerGetpid},
		{abi.NRGettid, 42, Answered, abi.CAnswerGettid},
		{abi.NRGetcpu, abi.NRGetcpu, StoreCPU, abi.CAnswerGetcpu},
	} {
		m, f := running(t, tt.call)
		want := f.Regs
		want.RAX = tt.result
		if out := First(f); out != tt.out || f.Regs != want {
			t.Errorf("call %d: %d, registers %+v", tt.call, out, f.Regs)
		}
		if n := m.Stat.Count[tt.counter]; n != tt.out&1 {
			t.Errorf("call %d: counted %d times", tt.call, n)
		}
	}
}

// TestDeclined has everything that stands against an answer on the spot. Nothing
// may have changed then. What nobody answers is told apart: the second stage would
// forward it.
func TestDeclined(t *testing.T) {
	for _, tt := range []struct {
		name string
		call uint64
		out  uint64
		set  func(m *window.Sim, f *window.Frame)
	}{
		{"another call", 0, Unanswered, func(*window.Sim, *window.Frame) {}},
		{"a call between them", abi.NRGettid + 1, Unanswered, func(*window.Sim, *window.Frame) {}},
		{"the last call", abi.NRGetcpu + 1, Unanswered, func(*window.Sim, *window.Frame) {}},
		{"x32", abi.NRGetpid | 0x40000000, Unanswered, func(*window.Sim, *window.Frame) {}},
		{"high bits", abi.NRGetpid | 1<<32, Unanswered, func(*window.Sim, *window.Frame) {}},
		{"-1", 1<<64 - 1, Unanswered, func(*window.Sim, *window.Frame) {}},
		{"no leave", abi.NRGetpid, Unanswered, func(m *window.Sim, _ *window.Frame) { m.Global.Head[3].Answers = 0 }},
		{"leave for others", abi.NRGetpid, Unanswered, func(m *window.Sim, _ *window.Frame) { m.Global.Head[3].Answers = everything &^ (1 << abi.AGetpid) }},
		{"recall", abi.NRGetpid, Declined, func(m *window.Sim, _ *window.Frame) { m.Global.Head[3].Recall = 1 }},
		{"command", abi.NRGetpid, Declined, func(m *window.Sim, _ *window.Frame) { m.Private.Self.Command = abi.CmdPark }},
		{"flush", abi.NRGetpid, Declined, func(m *window.Sim, _ *window.Frame) { m.Private.Self.FlushReq++ }},
		{"hold", abi.NRGetcpu, Declined, func(m *window.Sim, _ *window.Frame) { m.Global.Held = 1 }},
		{"hold of the space", abi.NRGetcpu, Declined, func(*window.Sim, *window.Frame) { window.Space().Held = 1 }},
		{"single step", abi.NRGetpid, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RFlags |= 1 << 8 }},
		{"resume flag", abi.NRGetpid, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RFlags |= 1 << 16 }},
		{"nested task", abi.NRGetpid, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RFlags |= 1 << 14 }},
		{"end of the address space", abi.NRGetpid, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RCX = 1 << 47 }},
		{"upper half", abi.NRGetpid, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RCX = 1<<64 - 1<<22 }},
		{"5 levels", abi.NRGetpid, Declined, func(m *window.Sim, f *window.Frame) { m.Config.Features |= abi.FLA57; f.Regs.RCX = 1 << 56 }},
		{"address in the hole", abi.NRGetcpu, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RDI = 1 << 47 }},
		{"across the end", abi.NRGetcpu, Declined, func(_ *window.Sim, f *window.Frame) { f.Regs.RSI = 1<<47 - abi.PageSize - 3 }},
		{"another ready", abi.NRSchedYield, Declined, func(m *window.Sim, _ *window.Frame) { m.AddSlot(4); sched.Enqueue(4) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, f := running(t, tt.call)
			tt.set(m, f)
			want, stat := f.Regs, m.Stat
			if out := First(f); out != tt.out {
				t.Errorf("First = %d, want %d", out, tt.out)
			}
			if f.Regs != want || m.Stat != stat {
				t.Errorf("something changed: %+v", f.Regs)
			}
			if r := Complete(f); tt.out == Unanswered && r != Forward {
				t.Errorf("the second stage says %d", r)
			}
		})
	}
}

// TestOtherDepth: 5-level addresses are accepted where there are such.
func TestOtherDepth(t *testing.T) {
	m, f := running(t, abi.NRGetpid)
	m.Config.Features |= abi.FLA57
	f.Regs.RCX = 1 << 50
	if out := First(f); out != Answered {
		t.Errorf("First = %d", out)
	}
}

func TestComplete(t *testing.T) {
	_, f := running(t, abi.NRSchedYield)
	if r := Complete(f); r != Done || f.Regs.RAX != 0 || f.Regs.RIP != 0x401002 {
		t.Errorf("alone: %d, registers %+v", r, f.Regs)
	}
	m, f := running(t, abi.NRSchedYield)
	m.AddSlot(4)
	m.Global.Head[4].VRuntime = 500 // it has run more
	sched.Enqueue(4)
	if r := Complete(f); r != Yield || f.Regs.RIP != 0x401002 {
		t.Errorf("with another: %d", r)
	}
	slot.Save()
	slot.Requeue()
	if c, ok := sched.Next(cpu.ReadTSC()); !ok || c.Slot != 4 {
		t.Errorf("next is %d, %v", c.Slot, ok)
	}
	for _, call := range []uint64{abi.NRGetpid, abi.NRGetcpu, 0, 1 << 40} {
		_, f = running(t, call)
		want := f.Regs
		if r := Complete(f); r != Forward || f.Regs != want {
			t.Errorf("call %d: %d", call, r)
		}
	}
}

// TestCounters: each call has its counter, in the same order.
func TestCounters(t *testing.T) {
	for i, name := range abi.AnswerNames {
		if got := abi.CPUCounters[abi.CAnswerSchedYield+i].Name; got != "answer_"+name {
			t.Errorf("counter of %s is %s", name, got)
		}
	}
}
