//go:build !metal

package sched_test

import (
	"testing"

	"apkern/abi"
	"pgregory.net/rapid"
)

const (
	nice0  = 1024
	nice10 = 110
	nice19 = 15
)

// share checks that a thread got that part of one CPU since it had ran before,
// within a part of it and a slice.
func share(t *rapid.T, what string, th *thread, before uint64, want float64, over uint64) {
	t.Helper()
	got := float64(th.ran - before)
	expected := want * float64(over)
	if slack := 0.02*expected + 1.5*sliceTime; got < expected-slack || got > expected+slack {
		t.Errorf("%s: thread %d ran %.1f ms of %.1f", what, th.index, got/millisecond, expected/millisecond)
	}
}

// Equal threads share equally over any second, however many there are and wherever
// they came from.
func TestEqualShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(nil, rapid.IntRange(1, 5).Draw(t, "CPUs"))
		defer m.close()
		for range rapid.IntRange(1, 24).Draw(t, "threads") {
			m.add(nice0, 0, 0)
			m.runFor(rapid.Uint64Range(0, 30*millisecond).Draw(t, "apart"))
		}
		m.runFor(300 * millisecond)
		before := make([]uint64, len(m.threads))
		for i, th := range m.threads {
			before[i] = th.ran
		}
		m.runFor(second)
		for i, th := range m.threads {
			share(t, "equal", th, before[i], min(1, float64(len(m.cpus))/float64(len(m.threads))), second)
		}
	})
}

// Weights decide the shares of threads that compete, unless one would need more
// than a CPU.
func TestWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cpus := rapid.IntRange(1, 3).Draw(t, "CPUs")
		m := newMachine(nil, cpus)
		defer m.close()
		heavy := rapid.IntRange(cpus+1, 10).Draw(t, "nice 0")
		light := rapid.IntRange(1, 10).Draw(t, "nice 10")
		for range heavy {
			m.add(nice0, 0, 0)
		}
		for range light {
			m.add(nice10, 0, 0)
		}
		m.runFor(4 * second)
		total := float64(heavy*nice0 + light*nice10)
		for _, th := range m.threads {
			share(t, "weights", th, 0, float64(th.head.Weight)/total*float64(cpus), 4*second)
		}
	})
}

// Whatever runs: a thread that computes waits no longer than its weight says, and a
// thread is only where it may be.
func TestNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cpus := rapid.IntRange(1, 4).Draw(t, "CPUs")
		m := newMachine(nil, cpus)
		defer m.close()
		var total uint64
		for range rapid.IntRange(2, 16).Draw(t, "threads") {
			var mask []uint32
			for i := range uint32(cpus) {
				if rapid.Bool().Draw(t, "may") {
					mask = append(mask, i) // none: all
				}
			}
			w := rapid.SampledFrom([]uint32{nice0, nice0, nice10, nice19}).Draw(t, "weight")
			total += uint64(w)
			var burst, sleep uint64
			if rapid.Bool().Draw(t, "sleeps") {
				burst = rapid.Uint64Range(500*microsecond, 20*millisecond).Draw(t, "burst")
				sleep = rapid.Uint64Range(0, 20*millisecond).Draw(t, "sleep")
			}
			m.add(w, burst, sleep, mask...)
			m.runFor(rapid.Uint64Range(0, 200*millisecond).Draw(t, "apart"))
		}
		for range 3 { // masks change, too: a thread comes from CPUs whose threads are far ahead
			m.bind(rapid.SampledFrom(m.threads).Draw(t, "moved"), rapid.Uint32Range(0, uint32(cpus)-1).Draw(t, "to"))
			m.runFor(rapid.Uint64Range(0, second/2).Draw(t, "then"))
		}
		m.runFor(second)
		for _, th := range m.threads {
			for c := range th.cpus {
				if th.head.CPUs[0]>>c&1 == 0 {
					t.Errorf("thread %d was on CPU %d, it may be on those of %#b", th.index, c, th.head.CPUs[0])
				}
			}
			// Twice: who is overdue waits for others that are.
			if limit := 2 * overdueSlices * sliceTime * (total/uint64(th.head.Weight) + 2); th.longestWait > limit ||
				th.ready != never && m.now-th.ready > limit {
				t.Errorf("thread %d of weight %d waited %d ms, %d are allowed; it ran for %d ms, waits now: %v", th.index, th.head.Weight,
					th.longestWait/millisecond, limit/millisecond, th.ran/millisecond, th.ready != never)
			}
		}
	})
}

const overdueSlices = 4

// Threads bound to one CPU share it, and keep nobody from the others.
func TestPinned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(nil, 3)
		defer m.close()
		pinned := rapid.IntRange(1, 6).Draw(t, "pinned")
		for range pinned {
			m.add(nice0, 0, 0, 1)
		}
		m.runFor(rapid.Uint64Range(0, 500*millisecond).Draw(t, "before"))
		free := rapid.IntRange(1, 2).Draw(t, "free")
		var at [2]uint64
		for i := range free {
			at[i] = m.now
			m.add(nice0, 0, 0)
			m.runFor(rapid.Uint64Range(0, 300*millisecond).Draw(t, "apart"))
		}
		start := m.now
		var before []uint64
		for _, th := range m.threads {
			before = append(before, th.ran)
		}
		m.runFor(second)
		for i, th := range m.threads {
			if i >= pinned {
				share(t, "free", th, before[i], 1, m.now-start)
				continue
			}
			share(t, "pinned", th, before[i], 1/float64(pinned), m.now-start)
			if len(th.cpus) != 1 || !th.cpus[1] {
				t.Errorf("thread %d was on the CPUs %v", i, th.cpus)
			}
		}
	})
}

// More free threads than CPUs, beside some that are bound: all of equal weight get
// what the CPUs they may use allow.
func TestPinnedAmongMany(t *testing.T) {
	m := newMachine(t, 3)
	defer m.close()
	for range 2 {
		m.add(nice0, 0, 0, 0)
	}
	for range 10 {
		m.add(nice0, 0, 0)
	}
	m.runFor(2 * second)
	for _, th := range m.threads {
		if got := float64(th.ran) / (2 * second); got < 0.24 || got > 0.26 {
			t.Errorf("thread %d has %.3f of a CPU, 3/12 are right", th.index, got)
		}
	}
}

// A CPU whose thread keeps nobody waiting takes no interrupt, and as many threads
// as CPUs have one each.
func TestNoInterruptWithoutCompany(t *testing.T) {
	m := newMachine(t, 4)
	defer m.close()
	for range 4 {
		m.add(nice0, 0, 0)
		m.runFor(millisecond)
	}
	before := make([]int, len(m.cpus))
	for i, p := range m.cpus {
		before[i] = p.taken
	}
	m.runFor(second)
	for i, p := range m.cpus {
		if p.taken != before[i] || !p.user {
			t.Errorf("CPU %d took %d interrupts, in user mode: %v", i, p.taken-before[i], p.user)
		}
	}
	for _, th := range m.threads {
		if len(th.cpus) != 1 {
			t.Errorf("thread %d was on the CPUs %v", th.index, th.cpus)
		}
	}
}

// The slice ends for good when the company leaves.
func TestTicksStop(t *testing.T) {
	m := newMachine(t, 1)
	defer m.close()
	m.add(nice0, 0, 0)
	m.add(nice0, 100*millisecond, 10*second)
	m.runFor(second)
	before := m.cpus[0].taken
	m.runFor(second)
	if got := m.cpus[0].taken - before; got != 0 || m.sim.Global.CPU[0].Ticking != 0 {
		t.Errorf("%d interrupts, ticking %d", got, m.sim.Global.CPU[0].Ticking)
	}
}

// With no more threads than CPUs whoever becomes ready runs at once, on the CPU
// where it was if that is idle.
func TestWakeUpsFindIdleCPUs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(nil, 4)
		defer m.close()
		for range rapid.IntRange(1, 4).Draw(t, "threads") {
			m.add(nice0, rapid.Uint64Range(100*microsecond, 5*millisecond).Draw(t, "burst"), rapid.Uint64Range(0, 5*millisecond).Draw(t, "sleep"))
		}
		m.runFor(200 * millisecond)
		for _, th := range m.threads {
			if th.longestWait > sliceTime/16+2*pollStep {
				t.Errorf("thread %d waited %d µs with CPUs idle", th.index, th.longestWait/microsecond)
			}
		}
		if n := m.count(abi.CPreempt) + m.count(abi.CYield); n != 0 {
			t.Errorf("%d threads were interrupted for others with CPUs idle", n)
		}
	})
}

// A thread that runs for moments is not kept waiting by those that compute, and
// takes no more than its share when it stops being brief.
func TestBriefThreadsComeFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(nil, 2)
		defer m.close()
		for range rapid.IntRange(2, 8).Draw(t, "computing") {
			m.add(nice0, 0, 0)
		}
		m.runFor(100 * millisecond)
		brief := m.add(nice0, rapid.Uint64Range(10*microsecond, 200*microsecond).Draw(t, "burst"), rapid.Uint64Range(millisecond, 20*millisecond).Draw(t, "sleep"))
		m.runFor(500 * millisecond) // its first turn is in line
		brief.longestWait = 0
		m.runFor(500 * millisecond)
		if brief.longestWait > 2*sliceTime {
			t.Errorf("it waited %d µs", brief.longestWait/microsecond)
		}
	})
}

// Who slept for long gets a bounded start over those that computed meanwhile, and
// so does who was alone on its CPU.
func TestSleepersAndLonersAreNotPaidBack(t *testing.T) {
	m := newMachine(t, 1)
	defer m.close()
	m.add(nice0, 0, 0)
	m.add(nice0, 0, 0)
	sleeper := m.add(nice0, millisecond, 10*second)
	m.runFor(2 * second)
	sleeper.wake, sleeper.left, sleeper.burst = m.now, never, 0
	before := m.threads[0].ran
	m.runFor(300 * millisecond)
	share := float64(m.threads[0].ran-before) / (300 * millisecond)
	if share < 0.28 {
		t.Errorf("beside one that slept a thread gets %.2f of the CPU, 0.33 are right", share)
	}

	m = newMachine(t, 2)
	defer m.close()
	loner := m.add(nice0, 0, 0)
	m.runFor(5 * second) // the other CPU's level stands still
	for range 5 {
		m.add(nice0, 0, 0)
	}
	before = loner.ran
	m.runFor(500 * millisecond)
	if share := float64(loner.ran-before) / (500 * millisecond); share < 0.25 {
		t.Errorf("who was alone gets %.2f of a CPU afterwards, 0.33 are right", share)
	}
}
