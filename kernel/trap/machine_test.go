//go:build !metal

package trap

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/idle"
	"apkern/kernel/sched"
	"apkern/kernel/slot"
	"apkern/kernel/window"
	"pgregory.net/rapid"
)

// machine plays home, the other CPUs and the programs around one application
// CPU, in random order, and checks after each step what must always hold.
type machine struct {
	*window.Sim
	t       *rapid.T
	threads []*thread
	spaces  []*abi.Space
	running bool // a thread is in user mode
	resched bool // the interrupt for a thread that became ready is on its way
}

// thread is what the test knows about one: count is what its program has in
// RBX, and must be found there wherever it is.
type thread struct {
	index uint32
	pages *window.SlotPages
	head  *abi.Head
	count uint64
}

func newMachine(t *rapid.T) *machine {
	m := &machine{Sim: window.Reset(1), t: t}
	m.Global.PollCycles, m.Global.SliceCycles = 20, 1000
	m.Private.TimerScale = 1
	var phys []uint64
	for id := uint64(1); id <= 3; id++ {
		s, p := m.AddSpace(id)
		m.spaces, phys = append(m.spaces, s), append(phys, p)
	}
	for i := range uint32(6) {
		p := m.AddSlot(i)
		p.Slot.SpaceID = uint64(i%3) + 1
		p.Slot.SpacePhys = phys[i%3]
		m.threads = append(m.threads, &thread{index: i, pages: p, head: &m.Global.Head[i]})
	}
	// The CPU looks around while it has nothing to do: home acts then.
	cpu.Machine.OnPause = m.home
	cpu.Machine.OnHalt = m.home
	return m
}

// home does one thing that home may do at any time.
func (m *machine) home() {
	th := rapid.SampledFrom(m.threads).Draw(m.t, "thread")
	s := m.spaces[th.pages.Slot.SpaceID-1]
	switch rapid.IntRange(0, 6).Draw(m.t, "home") {
	case 0, 1:
		m.send(th)
	case 2: // recall, or take back
		switch th.head.State & abi.StateMask {
		case abi.Ready:
			sched.Claim(th.index, abi.Home)
		case abi.Away:
			th.head.Recall = 1
		}
	case 3: // a table is freed
		s.Top[rapid.IntRange(0, abi.TopUser-1).Draw(m.t, "entry")]++
		s.Generation++
		m.flush(s)
	case 4: // a page is unmapped
		m.flush(s)
	case 5: // entries are changed in several steps
		if s.Held == 0 {
			s.Held++
			m.flush(s)
		} else {
			s.Held--
		}
	case 6: // the same with a word of user memory
		if m.Global.Held == 0 {
			m.Global.Held++
			m.Private.Self.FlushReq++
		} else {
			m.Global.Held--
		}
	}
}

// send makes a thread that is home ready, or takes its event first.
func (m *machine) send(th *thread) {
	switch th.head.State & abi.StateMask {
	case abi.Event:
		m.arrived(th)
		fallthrough
	case abi.Home:
		th.head.Recall = 0
		th.pages.Slot.Regs.RBX = th.count
		sched.Enqueue(th.index) // as home does it
		if m.Private.Self.State == abi.CPURun && m.Private.Self.Ticking == 0 {
			m.resched = true
		}
	}
}

func (m *machine) arrived(th *thread) {
	if got := th.pages.Slot.Regs.RBX; got != th.count {
		m.t.Fatalf("thread %d came home with %d, not %d", th.index, got, th.count)
	}
	if th.head.Since != 0 {
		m.t.Fatalf("thread %d is home and still accounted as running", th.index)
	}
}

func (m *machine) flush(s *abi.Space) {
	if m.Private.Self.Space == s.ID {
		m.Private.Self.FlushReq++
	}
}

// check holds whenever the CPU is in user mode or asked for work.
func (m *machine) check() {
	away := 0
	for _, th := range m.threads {
		if th.head.State&abi.StateMask == abi.Away {
			away++
			if m.Private.Self.Slot != th.index+1 {
				m.t.Fatalf("thread %d is away, but the CPU runs %d", th.index, m.Private.Self.Slot)
			}
		}
	}
	if (away == 1) != m.running || away > 1 || (m.Private.Self.Slot != 0) != m.running {
		m.t.Fatalf("%d threads away, slot %d, in user mode: %v", away, m.Private.Self.Slot, m.running)
	}
}

// user runs after every way to user mode: nothing may stand against it.
func (m *machine) user() {
	th := m.threads[m.Private.Self.Slot-1]
	h, s := m.Private.Self, m.spaces[th.pages.Slot.SpaceID-1]
	switch {
	case h.FlushAck != h.FlushReq:
		m.t.Fatalf("user mode with a flush outstanding: %d of %d", h.FlushAck, h.FlushReq)
	case s.Held != 0 || m.Global.Held != 0:
		m.t.Fatal("user mode although held")
	case th.head.Recall != 0:
		m.t.Fatal("user mode although recalled")
	case h.Space != s.ID || cpu.Machine.CR3 != m.Config.UserTop:
		m.t.Fatalf("user mode in space %d, CR3 %#x", h.Space, cpu.Machine.CR3)
	case m.Top != s.Top:
		m.t.Fatal("user mode with stale top entries")
	case m.Frame.Regs.RBX != th.count:
		m.t.Fatalf("thread %d runs with %d, not %d", th.index, m.Frame.Regs.RBX, th.count)
	case h.State != abi.CPURun || m.Private.Stage != window.StageUser:
		m.t.Fatalf("user mode in CPU state %d, stage %d", h.State, m.Private.Stage)
	case sched.Waiting() && h.Ticking == 0 && !m.resched:
		m.t.Fatal("others wait and no time slice runs")
	}
	th.count++
	m.Frame.Regs.RBX = th.count
	if m.resched {
		m.resched = false
		m.trap(abi.VecResched)
	}
}

// trap interrupts the running thread.
func (m *machine) trap(vector uint64) {
	m.Frame.Regs.Vector, m.Frame.Regs.CS = vector, slot.UserCS
	cpu.Machine.CR2 = 0x5000
	if vector == VecSyscall && rapid.Bool().Draw(m.t, "unanswered") {
		Forward()
		m.running = false
		return
	}
	if Dispatch(&m.Frame) == Leave {
		m.running = false
		return
	}
	m.user()
}

func TestMachine(t *testing.T) {
	vectors := []uint64{VecSyscall, 14, 6, 0x20, abi.VecWake, abi.VecFlush, abi.VecRecall, abi.VecResched, abi.VecTimer}
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"home": func(*rapid.T) {
				m.home()
				if m.resched && m.running {
					m.resched = false
					m.trap(abi.VecResched)
				}
			},
			"cpu": func(t *rapid.T) {
				if m.running {
					m.trap(rapid.SampledFrom(vectors).Draw(t, "vector"))
					return
				}
				m.send(m.threads[0]) // so that there is something to do
				idle.Loop()
				m.running = true
				m.user()
			},
			"": func(*rapid.T) { m.check() },
		})
		// Nobody is forgotten: who is ready is found, and runs.
		m.Global.Held = 0
		for _, s := range m.spaces {
			s.Held = 0
		}
		if m.running {
			m.trap(VecSyscall)
		}
		cpu.Machine.OnPause = func() { t.Fatal("a ready thread is not found") }
		cpu.Machine.OnHalt = cpu.Machine.OnPause
		for m.ready() {
			idle.Loop()
			m.running = true
			m.user()
			m.trap(VecSyscall)
		}
	})
}

func (m *machine) ready() bool {
	for _, th := range m.threads {
		if th.head.State == abi.Ready && th.head.Recall == 0 {
			return true
		}
	}
	return false
}
