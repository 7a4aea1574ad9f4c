//go:build !metal

package sched

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

const icr = cpu.MSRX2APIC + 0x30

func TestNext(t *testing.T) {
	tests := []struct {
		name   string
		state  uint32   // of CPU 1
		own    []uint32 // waiting on CPU 0, which looks
		other  []uint32 // waiting on CPU 1
		barred []uint32 // may not run on CPU 0
		slot   uint32
		stolen bool
		ok     bool
	}{
		{name: "nothing"},
		{name: "own first", state: abi.CPURun, own: []uint32{3}, other: []uint32{4}, slot: 3, ok: true},
		{name: "behind a running thread", state: abi.CPURun, other: []uint32{4, 5}, slot: 4, stolen: true, ok: true},
		{name: "left on a failed CPU", state: abi.CPUFailed, other: []uint32{4}, slot: 4, stolen: true, ok: true},
		{name: "its polling owner takes it", state: abi.CPUPoll, other: []uint32{4}},
		{name: "its sleeping owner takes it", state: abi.CPUHalt, other: []uint32{4}},
		{name: "more than its owner can take", state: abi.CPUPoll, other: []uint32{4, 5}, slot: 4, stolen: true, ok: true},
		{name: "may not run here", state: abi.CPURun, other: []uint32{4}, barred: []uint32{4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := window.Reset(2)
			for i := range uint32(8) {
				m.AddSlot(i)
			}
			for _, s := range tt.barred {
				m.Global.Head[s].CPUs[0] &^= 1
			}
			m.Global.CPU[1].State = tt.state
			for _, s := range tt.own {
				Push(&m.Runq[0], s)
			}
			for _, s := range tt.other {
				Push(&m.Runq[1], s)
			}
			slot, stolen, ok := Next()
			if ok != tt.ok || ok && (slot != tt.slot || stolen != tt.stolen) {
				t.Errorf("Next = %d, stolen %v, %v; want %d, %v, %v", slot, stolen, ok, tt.slot, tt.stolen, tt.ok)
			}
			if want := len(tt.own) + len(tt.other); ok {
				if got := Waiting(&m.Runq[0]) + Waiting(&m.Runq[1]); got != uint32(want-1) {
					t.Errorf("%d entries left of %d", got, want)
				}
			}
		})
	}
}

func TestWakeIdle(t *testing.T) {
	m := window.Reset(4)
	m.AddSlot(9)
	m.Global.Head[9].CPUs[0] = 0b1011 // not CPU 2
	m.Global.CPU[1].State = abi.CPURun
	m.Global.CPU[2].State = abi.CPUHalt
	m.Global.CPU[3].State = abi.CPUHalt
	WakeIdle()
	if w := cpu.Machine.Writes(icr); len(w) != 0 {
		t.Fatalf("interrupts %x with nobody waiting", w)
	}
	Push(&m.Runq[0], 9)
	WakeIdle()
	want := uint64(m.Global.CPU[3].APICID)<<32 | abi.VecWake
	if w := cpu.Machine.Writes(icr); len(w) != 1 || w[0] != want {
		t.Errorf("interrupts %x, want %x alone", w, want)
	}
}

func TestSlice(t *testing.T) {
	const timerSet = cpu.MSRX2APIC + 0x38
	fresh := func(waiting bool, ticking uint32) *window.Sim {
		m := window.Reset(1)
		m.Global.SliceCycles = 1000
		m.Private.TimerScale = 1 << window.TimerShift
		m.Private.Self.Ticking = ticking
		if waiting {
			Push(&m.Runq[0], 1)
		}
		return m
	}
	tests := []struct {
		name    string
		waiting bool
		ticking uint32
		call    func()
		timer   []uint64 // what the timer was set to
		after   uint32
	}{
		{"begin alone", false, 0, BeginSlice, nil, 0},
		{"begin alone after others", false, 1, BeginSlice, []uint64{0}, 0},
		{"begin with others", true, 0, BeginSlice, []uint64{1000}, 1},
		{"begin afresh", true, 1, BeginSlice, []uint64{1000}, 1},
		{"join with nobody", false, 0, JoinSlice, nil, 0},
		{"join", true, 0, JoinSlice, []uint64{1000}, 1},
		{"join a running slice", true, 1, JoinSlice, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := fresh(tt.waiting, tt.ticking)
			tt.call()
			got := cpu.Machine.Writes(timerSet)
			if len(got) != len(tt.timer) || len(got) > 0 && got[0] != tt.timer[0] {
				t.Errorf("timer set to %v, want %v", got, tt.timer)
			}
			if m.Private.Self.Ticking != tt.after {
				t.Errorf("ticking = %d, want %d", m.Private.Self.Ticking, tt.after)
			}
		})
	}
	m := fresh(true, 1)
	if !EndSlice() || m.Private.Self.Ticking != 0 {
		t.Errorf("EndSlice does not see the waiting thread, or leaves ticking = %d", m.Private.Self.Ticking)
	}
}
