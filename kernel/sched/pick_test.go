//go:build !metal

package sched

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
	"pgregory.net/rapid"
)

const icr = cpu.MSRX2APIC + 0x30

// machine has that many CPUs and eight slots; the time is late enough to have waited.
func machine(cpus int) *window.Sim {
	m := window.Reset(cpus)
	m.Global.SliceCycles = 1000
	m.Private.TimerScale = 1 << window.TimerShift
	cpu.Machine.TSC, cpu.Machine.TSCStep = 1<<40, 0
	for i := range uint32(8) {
		m.AddSlot(i)
	}
	return m
}

// The short way to the only ready thread chooses as the long one does.
func TestReturned(t *testing.T) {
	m := machine(2)
	m.Global.Words = 1
	Enqueue(3)
	m.Global.Head[3].Last = 0
	if slot, n := census(); n != 1 || slot != 3 {
		t.Fatalf("%d threads, the first is %d", n, slot)
	}
	if _, ok := returned(3, cpu.ReadTSC()); !ok {
		t.Error("a thread that has just come back does not go the short way")
	}
	rapid.Check(t, func(t *rapid.T) {
		m := machine(2)
		m.Global.Words = rapid.SampledFrom([]uint32{1, 1, 2, 16}).Draw(t, "words")
		m.Private.Level = rapid.Uint64Range(0, 1<<20).Draw(t, "level")
		m.Global.CPU[1].State = rapid.SampledFrom([]uint32{abi.CPUPoll, abi.CPURun}).Draw(t, "state")
		for range rapid.IntRange(0, 2).Draw(t, "threads") {
			i := rapid.Uint32Range(0, 7).Draw(t, "slot")
			Enqueue(i)
			h := &m.Global.Head[i]
			h.Last = rapid.Uint32Range(0, 1).Draw(t, "last")
			h.Fresh = rapid.Uint32Range(0, 1).Draw(t, "fresh")
			h.VRuntime = rapid.Uint64Range(0, 1<<20).Draw(t, "ran")
			h.Queued -= rapid.Uint64Range(0, 8000).Draw(t, "waited")
			if rapid.Bool().Draw(t, "barred") {
				h.CPUs[0] &^= 1
			}
			if rapid.Bool().Draw(t, "gone") {
				h.State = abi.Home
			}
		}
		slot, n := census()
		if n != 1 {
			return
		}
		now := cpu.ReadTSC()
		c, ok := returned(slot, now)
		if !ok {
			return
		}
		if want, found := choose(now, 0, true); !found || c != want {
			t.Errorf("it chose %+v, right is %+v, %v", c, want, found)
		}
	})
}

func TestNext(t *testing.T) {
	type waits struct {
		slot     uint32
		vruntime uint64
		waited   uint64
		weight   uint32 // 0: nice 0
		last     uint32
		barred   bool
	}
	tests := []struct {
		name    string
		state   uint32 // of CPU 1
		level   uint64
		waiting []waits
		slot    uint32
		overdue bool
		ok      bool
	}{
		{name: "nothing"},
		{name: "who ran less", waiting: []waits{{slot: 3, vruntime: 20}, {slot: 4, vruntime: 10}}, slot: 4, ok: true},
		{name: "across a wrap", waiting: []waits{{slot: 3, vruntime: 20}, {slot: 4, vruntime: ^uint64(20)}}, slot: 4, ok: true},
		{name: "who waits longer", waiting: []waits{{slot: 3, waited: 20}, {slot: 4, waited: 30}}, slot: 4, ok: true},
		{name: "long sleepers are equal", level: 10000, waiting: []waits{{slot: 3, vruntime: 20, waited: 9}, {slot: 4, vruntime: 10}}, slot: 3, ok: true},
		{name: "may not run here", waiting: []waits{{slot: 4, barred: true}}},
		{name: "left to a CPU that polls", state: abi.CPUPoll, waiting: []waits{{slot: 4, last: 1}}},
		{name: "not for long", state: abi.CPUPoll, waiting: []waits{{slot: 4, last: 1, waited: 100}}, slot: 4, ok: true},
		{name: "not to one that sleeps", state: abi.CPUHalt, waiting: []waits{{slot: 4, last: 1}}, slot: 4, ok: true},
		{name: "not to one that runs", state: abi.CPURun, waiting: []waits{{slot: 4, last: 1}}, slot: 4, ok: true},
		{name: "not to one that failed", state: abi.CPUFailed, waiting: []waits{{slot: 4, last: 1}}, slot: 4, ok: true},
		{name: "overdue", waiting: []waits{{slot: 3, vruntime: 10}, {slot: 4, vruntime: 1 << 30, waited: 8001}}, slot: 4, overdue: true, ok: true},
		{name: "not yet", waiting: []waits{{slot: 3, vruntime: 10}, {slot: 4, vruntime: 1 << 30, waited: 8000}}, slot: 3, ok: true},
		{name: "light threads wait longer", waiting: []waits{{slot: 3, vruntime: 10}, {slot: 4, vruntime: 1 << 30, waited: 8001, weight: 512}}, slot: 3, ok: true},
		{name: "the first of many slots", waiting: []waits{{slot: 0, vruntime: 5}, {slot: 7, vruntime: 6}}, slot: 0, ok: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(2)
			m.Private.Level = tt.level
			m.Global.CPU[1].State = tt.state
			for _, w := range tt.waiting {
				Enqueue(w.slot)
				h := &m.Global.Head[w.slot]
				h.VRuntime, h.Last = w.vruntime, w.last
				h.Queued -= w.waited
				if w.weight != 0 {
					h.Weight = w.weight
				}
				if w.barred {
					h.CPUs[0] &^= 1
				}
			}
			c, ok := Next(cpu.ReadTSC())
			if ok != tt.ok || ok && (c.Slot != tt.slot || c.Overdue != tt.overdue) {
				t.Errorf("Next = %+v, %v; want %d, %v, %v", c, ok, tt.slot, tt.overdue, tt.ok)
			}
			if allowed := len(tt.waiting) > 0 && !tt.waiting[0].barred; Waiting() != allowed {
				t.Errorf("Waiting = %v", Waiting())
			}
		})
	}
}

func TestSettle(t *testing.T) {
	tests := []struct {
		name                  string
		own, level            uint64
		overdue               bool
		vruntime, after, high uint64
		fresh                 uint32
	}{
		{"ahead", 12000, 10000, false, 12000, 12000, 12000, 0},
		{"behind", 9000, 10000, false, 9000, 10000, 10000, 0},
		{"far behind", 100, 10000, false, 8000, 10000, 10000, 0},
		{"overdue and far ahead", 1 << 40, 10000, true, 10000, 10000, 10000, 0},
		{"overdue and behind", 9000, 10000, true, 9000, 10000, 10000, 0},
		{"new", 1 << 40, 10000, false, 10000, 10000, 10000, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(1)
			m.Private.Level, m.Global.Head[3].VRuntime, m.Global.Head[3].Fresh = tt.level, tt.own, tt.fresh
			Settle(Choice{Slot: 3, Overdue: tt.overdue})
			if got := m.Global.Head[3].VRuntime; got != tt.vruntime || m.Private.Level != tt.after || m.Global.Level != tt.high {
				t.Errorf("virtual run time %d, level %d, highest %d; want %d, %d, %d", got, m.Private.Level, m.Global.Level, tt.vruntime, tt.after, tt.high)
			}
		})
	}
}

// The level of a CPU that was idle stood still, and must not measure who comes next.
func TestIdleTakesOverTheLevel(t *testing.T) {
	m := machine(1)
	for _, tt := range []struct{ own, high, want uint64 }{{10, 5000, 5000}, {6000, 5000, 6000}} {
		m.Private.Level, m.Global.Level = tt.own, tt.high
		Idle()
		if m.Private.Level != tt.want || m.Global.Level != tt.want {
			t.Errorf("level %d, highest %d, want %d", m.Private.Level, m.Global.Level, tt.want)
		}
	}
}

func TestCharge(t *testing.T) {
	tests := []struct {
		name   string
		ran    uint64
		weight uint32
		alone  uint32
		want   uint64
	}{
		{"nice 0", 500, 1024, 0, 500},
		{"light", 500, 512, 0, 1000},
		{"heavy", 500, 2048, 0, 250},
		{"no weight", 1, 0, 0, 1024},
		{"alone", 500, 1024, 1, 500},
		{"alone for long", 1 << 30, 1024, 1, 16000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(1)
			h := &m.Global.Head[3]
			h.Weight = tt.weight
			Charge(h, cpu.ReadTSC())
			if h.VRuntime != 0 {
				t.Error("charged although it did not run")
			}
			m.Private.Charged, m.Private.Alone = cpu.Machine.TSC, tt.alone
			cpu.Machine.TSC += tt.ran
			for range 2 { // the second time there is nothing left
				Charge(h, cpu.ReadTSC())
				if h.VRuntime != tt.want {
					t.Errorf("charged %d, want %d", h.VRuntime, tt.want)
				}
			}
		})
	}
}

func TestAnnounce(t *testing.T) {
	const vector, wake = abi.VecResched, abi.VecWake
	tests := []struct {
		name   string
		states []uint32 // of CPUs 1 and following; thread 5 may not run on CPU 2
		ticks  []uint32
		to     []uint32
	}{
		{"a polling CPU finds it", []uint32{abi.CPUPoll, abi.CPUHalt, abi.CPUHalt}, []uint32{0, 0, 0}, nil},
		{"a sleeping one that may run it is woken", []uint32{abi.CPURun, abi.CPUHalt, abi.CPUHalt}, []uint32{0, 0, 0}, []uint32{3}},
		{"one is enough", []uint32{abi.CPUHalt, abi.CPUHalt, abi.CPUHalt}, []uint32{0, 0, 0}, []uint32{1}},
		{"all that run take turns", []uint32{abi.CPURun, abi.CPURun, abi.CPURun}, []uint32{0, 0, 0}, []uint32{1, 3}},
		{"unless they do", []uint32{abi.CPURun, abi.CPURun, abi.CPURun}, []uint32{1, 0, 0}, []uint32{3}},
		{"failed", []uint32{abi.CPUFailed, abi.CPUHalt, abi.CPUParked}, []uint32{0, 0, 0}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(4)
			m.Global.Head[5].CPUs[0] &^= 1 << 2
			for i, s := range tt.states {
				m.Global.CPU[i+1].State, m.Global.CPU[i+1].Ticking = s, tt.ticks[i]
			}
			Announce(5)
			w := cpu.Machine.Writes(icr)
			if len(w) != len(tt.to) {
				t.Fatalf("interrupts %x, want some to %v", w, tt.to)
			}
			for i, to := range tt.to {
				if want := uint64(m.Global.CPU[to].APICID)<<32 | wake; w[i] != want {
					t.Errorf("interrupt %x, want %x", w[i], want)
				}
				if m.Global.CPU[to].State == abi.CPUHalt {
					t.Errorf("CPU %d would be woken again for another thread", to)
				}
			}
		})
	}
}

// Two threads were left to one idle CPU; it takes one and sees to the other.
func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		state, ticking uint32
		sent           int
	}{{abi.CPUHalt, 0, 1}, {abi.CPURun, 0, 1}, {abi.CPURun, 1, 0}, {abi.CPUPoll, 0, 0}} {
		m := machine(2)
		m.Global.CPU[1].State, m.Global.CPU[1].Ticking = tt.state, tt.ticking
		Enqueue(5)
		BeginSlice()
		if got := len(cpu.Machine.Writes(icr)); got != tt.sent || m.Global.CPU[0].Ticking != 1 {
			t.Errorf("state %d, ticking %d: %d interrupts, ticking here %d", tt.state, tt.ticking, got, m.Global.CPU[0].Ticking)
		}
	}
}

func TestSlice(t *testing.T) {
	const timerSet = cpu.MSRX2APIC + 0x38
	tests := []struct {
		name    string
		waiting bool
		other   uint64 // virtual run time of who waits; that of who runs is 5000
		ticking uint32
		call    func(*abi.Head) bool
		timer   []uint64 // what the timer was set to
		after   uint32
		yields  bool
	}{
		{"begin alone", false, 0, 0, begin, nil, 0, false},
		{"begin alone after others", false, 0, 1, begin, []uint64{0}, 0, false},
		{"begin with others", true, 0, 0, begin, []uint64{1000}, 1, false},
		{"begin afresh", true, 0, 1, begin, []uint64{1000}, 1, false},
		{"join with nobody", false, 0, 0, join, nil, 0, false},
		{"join", true, 0, 0, join, []uint64{1000}, 1, false},
		{"join a running slice", true, 0, 1, join, nil, 1, false},
		{"yield to nobody", false, 0, 1, Yields, nil, 1, false},
		{"yield to who is behind", true, 4749, 1, Yields, nil, 1, true},
		{"not to who is hardly behind", true, 4750, 1, Yields, nil, 1, false},
		{"not to who is ahead, but a slice begins", true, 6000, 0, Yields, []uint64{1000}, 1, false},
		{"end with nobody", false, 0, 1, EndSlice, nil, 0, false},
		{"end for who is behind", true, 4999, 1, EndSlice, nil, 0, true},
		{"not for an equal", true, 5000, 1, EndSlice, []uint64{1000}, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(1)
			m.Private.Level = 5000
			m.Private.Self.Ticking = tt.ticking
			m.Global.Head[3].VRuntime, m.Global.Head[5].VRuntime = 5000, tt.other
			if tt.waiting {
				Enqueue(5)
			}
			if got := tt.call(&m.Global.Head[3]); got != tt.yields {
				t.Errorf("yields: %v", got)
			}
			got := cpu.Machine.Writes(timerSet)
			if len(got) != len(tt.timer) || len(got) > 0 && got[0] != tt.timer[0] {
				t.Errorf("timer set to %v, want %v", got, tt.timer)
			}
			if m.Private.Self.Ticking != tt.after {
				t.Errorf("ticking = %d, want %d", m.Private.Self.Ticking, tt.after)
			}
		})
	}
}

func begin(*abi.Head) bool { BeginSlice(); return false }

func join(h *abi.Head) bool { Join(h); return false }

// Every thread that is made ready is claimed once, by whoever comes first, and none
// is lost.
func TestManyProducersAndConsumers(t *testing.T) {
	const threads, consumers, each = 200, 4, 200
	m := window.Reset(2)
	for i := range uint32(threads) {
		m.AddSlot(i)
	}
	cpu.Machine.TSCStep = 0 // the simulated clock is not made for many
	var claimed [threads]atomic.Uint32
	var left atomic.Int64
	left.Store(threads * each)
	var wg sync.WaitGroup
	for i := range uint32(threads) {
		wg.Go(func() {
			h := window.Head(i)
			for n := range uint32(each) {
				Enqueue(i)
				if n%7 == 0 && Claim(i, abi.Home) { // home wants it back
					claimed[i].Add(1)
					left.Add(-1)
				}
				for atomic.LoadUint32(&h.State) != abi.Home {
					runtime.Gosched()
				}
			}
		})
	}
	for range consumers {
		wg.Go(func() {
			for left.Load() > 0 {
				s := scan{}
				for slot, h, ok := s.next(); ok; slot, h, ok = s.next() {
					if !Claim(slot, abi.Away) {
						continue
					}
					claimed[slot].Add(1)
					left.Add(-1)
					atomic.StoreUint32(&h.State, abi.Home)
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	for i := range claimed {
		if n := claimed[i].Load(); n != each {
			t.Errorf("thread %d was claimed %d times of %d", i, n, each)
		}
	}
	if m.Global.Ready != [len(m.Global.Ready)]uint64{} {
		t.Errorf("bits are left: %x", m.Global.Ready)
	}
}
