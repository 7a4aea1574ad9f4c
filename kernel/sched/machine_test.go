//go:build !metal

package sched_test

import (
	"iter"
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/idle"
	"apkern/kernel/slot"
	"apkern/kernel/trap"
	"apkern/kernel/window"
)

// The times of the simulated machine, in TSC cycles.
const (
	microsecond = 1000
	millisecond = 1000 * microsecond
	second      = 1000 * millisecond

	sliceTime = 4 * millisecond
	pollTime  = 50 * microsecond
	pollStep  = microsecond // between two looks of a CPU that polls
)

const (
	timerSet = cpu.MSRX2APIC + 0x38
	icr      = cpu.MSRX2APIC + 0x30
	never    = ^uint64(0)
)

// machine is several application CPUs that run the application kernel, each as a
// coroutine, with threads that compute and sleep, and home as far as scheduling
// goes. Time passes in user mode, at home and while CPUs look for work.
type machine struct {
	t       testing.TB
	sim     *window.Sim
	cpus    []*processor
	threads []*thread
	now     uint64
}

type processor struct {
	m       *machine
	sim     *window.Sim
	hw      *cpu.Sim
	resume  func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	user    bool
	halted  bool
	pending []uint64
	timer   uint64 // when it fires
	since   uint64 // up to here its thread's time is counted
	taken   int    // interrupts
}

// thread computes for burst, then is at home for sleep; burst 0: it only computes.
type thread struct {
	index       uint32
	head        *abi.Head
	burst       uint64
	sleep       uint64
	ran         uint64
	left        uint64 // of the burst
	wake        uint64 // when it is ready again
	ready       uint64 // since when it waits, never: it does not
	longestWait uint64
	cpus        map[uint32]bool // where it was
}

func newMachine(t testing.TB, cpus int) *machine {
	m := &machine{t: t, sim: window.Reset(cpus), now: second}
	m.sim.Global.SliceCycles, m.sim.Global.PollCycles = sliceTime, pollTime
	for i := range uint32(cpus) {
		p := &processor{m: m, sim: m.sim.Other(i), hw: cpu.NewSim(), timer: never}
		p.sim.Private.TimerScale = 1 << window.TimerShift
		p.hw.TSCStep = 0
		p.hw.OnPause = p.wait
		p.hw.OnHalt = func() {
			p.halted = true
			p.wait()
			p.halted = false
			for len(p.pending) > 0 {
				p.interrupt(&window.Frame{Regs: abi.Regs{CS: 0x10}})
			}
		}
		p.resume, p.stop = iter.Pull(p.run)
		m.cpus = append(m.cpus, p)
	}
	return m
}

// add adds a thread that is ready at once. nice is 0 or 10.
func (m *machine) add(weight uint32, burst, sleep uint64, cpus ...uint32) *thread {
	index := uint32(len(m.threads))
	pages := m.sim.AddSlot(index)
	_, pages.Slot.SpacePhys = m.sim.AddSpace(uint64(index) + 1)
	pages.Slot.SpaceID = uint64(index) + 1
	th := &thread{index: index, head: &m.sim.Global.Head[index], burst: burst, sleep: sleep, ready: never, wake: m.now, cpus: map[uint32]bool{}}
	th.head.Weight, th.head.Fresh = weight, 1
	th.left = never
	if burst > 0 {
		th.left = burst
	}
	if len(cpus) > 0 {
		th.head.CPUs = [abi.CPUWords]uint64{}
		for _, c := range cpus {
			th.head.CPUs[0] |= 1 << c
		}
	}
	m.threads = append(m.threads, th)
	return th
}

type stopped struct{}

// run is the CPU's life.
func (p *processor) run(yield func(struct{}) bool) {
	p.yield = yield
	defer func() {
		if r := recover(); r != nil && r != (stopped{}) {
			panic(r)
		}
	}()
	for {
		idle.Loop()
		p.begin()
		for {
			if len(p.pending) == 0 {
				p.wait()
			}
			if p.interrupt(&p.sim.Frame) == trap.Leave {
				break
			}
		}
		p.user = false
	}
}

// begin is what the test sees of a thread that comes to user mode.
func (p *processor) begin() {
	th := p.thread()
	if wait := p.m.now - th.ready; th.ready != never && wait > th.longestWait {
		th.longestWait = wait
	}
	th.ready = never
	th.cpus[p.sim.Config.Index] = true
	p.user, p.since = true, p.m.now
}

func (p *processor) thread() *thread { return p.m.threads[p.sim.Private.Self.Slot-1] }

// interrupt has the oldest pending one dispatched.
func (p *processor) interrupt(f *window.Frame) uint64 {
	th := (*thread)(nil)
	f.Regs.Vector, p.pending = p.pending[0], p.pending[1:]
	if p.user {
		f.Regs.CS = slot.UserCS
		th = p.thread()
	}
	if f.Regs.Vector != trap.VecSyscall {
		p.taken++
	}
	out := trap.Dispatch(f)
	if th != nil && out == trap.Leave && th.head.State == abi.Ready {
		th.ready = p.m.now
	}
	return out
}

// home is what Linux does with a thread that came home.
func (m *machine) home(th *thread) {
	if th.head.State != abi.Event {
		return
	}
	th.head.State, th.ready = abi.Home, never
	switch {
	case th.head.Recall != 0 || th.left != 0:
		th.head.Recall, th.wake = 0, m.now // it leaves again at once
	default:
		th.wake, th.left = m.now+th.sleep, th.burst
	}
}

// bind changes where a thread may run, wherever it is.
func (m *machine) bind(th *thread, cpu uint32) {
	clear(th.cpus)
	switch s := th.head.State; s & abi.StateMask {
	case abi.Ready:
		m.sim.Global.Ready[th.index/64] &^= 1 << (th.index % 64)
		th.head.State, th.wake = abi.Home, m.now
	case abi.Away:
		th.head.Recall = 1
		m.cpus[s>>abi.StateCPUShift].send(abi.VecRecall)
	}
	th.head.CPUs = [abi.CPUWords]uint64{1 << cpu}
}

// wait lets the rest of the machine go on.
func (p *processor) wait() {
	p.collect()
	if !p.yield(struct{}{}) {
		panic(stopped{})
	}
	p.hw.TSC = p.m.now
}

// collect looks at what the CPU did to the hardware.
func (p *processor) collect() {
	for _, op := range p.hw.Trace {
		switch {
		case op.Kind != cpu.OpMSR:
		case op.Addr == timerSet && op.Val == 0:
			p.timer = never
		case op.Addr == timerSet:
			p.timer = p.m.now + op.Val
		case op.Addr == icr:
			p.m.cpus[op.Val>>32-1].send(op.Val & 0xff)
		}
	}
	p.hw.Trace = p.hw.Trace[:0]
}

func (p *processor) send(vector uint64) { p.pending = append(p.pending, vector) }

// next is when something happens on this CPU.
func (p *processor) next() uint64 {
	switch {
	case len(p.pending) > 0 && (p.user || p.halted):
		return p.m.now
	case p.user:
		if left := p.thread().left; left < never-p.since {
			return min(p.timer, p.since+left)
		}
		return p.timer
	case p.halted:
		return p.timer
	}
	return p.m.now + pollStep
}

// advance has user mode last until now.
func (p *processor) advance() {
	if !p.user {
		return
	}
	th, ran := p.thread(), p.m.now-p.since
	th.ran += ran
	p.since = p.m.now
	if th.left != never {
		th.left -= ran
	}
}

// for runs the machine for that long.
func (m *machine) runFor(d uint64) {
	for end := m.now + d; ; {
		at := end
		for _, th := range m.threads {
			at = min(at, max(th.wake, m.now))
		}
		for _, p := range m.cpus {
			at = min(at, p.next())
		}
		m.now = at
		for _, p := range m.cpus {
			p.advance()
		}
		if m.now == end {
			return
		}
		for _, th := range m.threads {
			if th.wake <= m.now {
				th.wake = never
				m.send(th)
			}
		}
		for _, p := range m.cpus {
			p.step()
		}
		for _, th := range m.threads {
			m.home(th)
		}
	}
}

func (p *processor) step() {
	if p.timer <= p.m.now {
		p.timer = never
		p.send(abi.VecTimer)
	}
	if p.user && p.thread().left == 0 && len(p.pending) == 0 {
		p.send(trap.VecSyscall)
	}
	if (p.user || p.halted) && len(p.pending) == 0 {
		return
	}
	window.Current, cpu.Machine = p.sim, p.hw
	p.hw.TSC = p.m.now
	p.resume()
}

// send is what module/place.c does.
func (m *machine) send(th *thread) {
	g := m.sim.Global
	h := th.head
	th.ready = m.now
	h.Queued = m.now
	g.Ready[th.index/64] |= 1 << (th.index % 64)
	h.State = abi.Ready
	may := func(i uint32) bool { return h.CPUs[0]>>i&1 != 0 }
	state := func(i uint32) uint32 { return g.CPU[i].State }
	rouse := func(i uint32) bool {
		if state(i) == abi.CPUHalt {
			g.CPU[i].State = abi.CPUPoll
			m.cpus[i].send(abi.VecWake)
			return true
		}
		return state(i) == abi.CPUPoll
	}
	if may(h.Last) && rouse(h.Last) {
		return
	}
	for _, wanted := range []uint32{abi.CPUPoll, abi.CPUHalt} {
		for i := range uint32(len(m.cpus)) {
			if may(i) && state(i) == wanted && rouse(i) {
				return
			}
		}
	}
	target, ahead := never, int64(-1<<62)
	for i := range uint32(len(m.cpus)) {
		if s := g.CPU[i].Slot; may(i) && s != 0 && state(i) == abi.CPURun {
			if lead := int64(g.Head[s-1].VRuntime - h.VRuntime); lead > ahead {
				target, ahead = uint64(i), lead
			}
		}
	}
	for i := range uint32(len(m.cpus)) {
		switch {
		case uint64(i) == target:
			m.cpus[i].send(abi.VecResched)
		case may(i) && state(i) == abi.CPURun && g.CPU[i].Ticking == 0:
			m.cpus[i].send(abi.VecWake)
		}
	}
}

func (m *machine) close() {
	for _, p := range m.cpus {
		p.stop()
	}
}

// count sums a counter over all CPUs.
func (m *machine) count(counter int) (n uint64) {
	for _, p := range m.cpus {
		n += p.sim.Stat.Count[counter]
	}
	return n
}
