//go:build !metal

package answer

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/sched"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

const word = 0x7000

// futexing returns a machine whose thread has just made the call with these operation
// and value; the word is 5.
func futexing(t *testing.T, op, value uint64) (*window.Sim, *window.Frame) {
	t.Helper()
	m, f := running(t, abi.NRFutex)
	m.Global.WaitCycles = 1000
	uaccess.User = map[uint64]uint32{word: 5}
	t.Cleanup(func() { uaccess.User = map[uint64]uint32{} })
	f.Regs.RDI, f.Regs.RSI, f.Regs.RDX, f.Regs.R10, f.Regs.R9 = word, op, value, 0, matchAny
	return m, f
}

// result decides about the call, and returns what it is answered by, if it is.
func result(t *testing.T, f *window.Frame) (int64, bool) {
	t.Helper()
	before := f.Regs
	if First(f) != Declined {
		t.Fatal("the first stage answered")
	}
	if Complete(f) == Done && f.Regs.RIP == before.RIP+sizeofSyscall {
		return int64(f.Regs.RAX), true
	}
	if f.Regs != before {
		t.Errorf("registers changed: %+v", f.Regs)
	}
	return 0, false
}

func TestFutexWait(t *testing.T) {
	for _, op := range []uint64{futexWait, futexWaitBitset, futexWaitBitset | futexRealtime} {
		_, f := futexing(t, op, 4)
		if r, ok := result(t, f); !ok || r != -eagain {
			t.Errorf("operation %#x, another word: %d, %v", op, r, ok)
		}
		_, f = futexing(t, op, 5)
		if r, ok := result(t, f); ok {
			t.Errorf("operation %#x, the same word for ever: %d", op, r)
		}
		m, f := futexing(t, op, 5|7<<32) // an int
		looks := 0
		cpu.Machine.OnPause = func() {
			if looks++; looks == 5 {
				uaccess.User[word] = 6
			}
		}
		if r, ok := result(t, f); !ok || r != -eagain || looks != 5 {
			t.Errorf("operation %#x, the word changes: %d, %v after %d looks", op, r, ok, looks)
		}
		if n := m.Stat.Count[abi.CAnswerFutex]; n != 1 {
			t.Errorf("counted %d times", n)
		}
	}
}

// TestFutexWaitEnds has what ends a wait before the word changes.
func TestFutexWaitEnds(t *testing.T) {
	for name, disturb := range map[string]func(m *window.Sim){
		"recall":      func(m *window.Sim) { m.Global.Head[3].Recall = 1 },
		"command":     func(m *window.Sim) { m.Private.Self.Command = abi.CmdPark },
		"page gone":   func(*window.Sim) { delete(uaccess.User, word) },
		"others wait": func(m *window.Sim) { m.Global.CPU[1].State = abi.CPURun; m.AddSlot(4); sched.Enqueue(4) },
	} {
		m, f := futexing(t, futexWait, 5)
		m.Global.WaitCycles = 1 << 31
		n := 0
		cpu.Machine.OnPause = func() {
			if n++; n == 3 {
				disturb(m)
			} else if n > 10 {
				t.Fatalf("%s: still waits", name)
			}
		}
		if r, ok := result(t, f); ok {
			t.Errorf("%s: answered %d", name, r)
		}
	}
	// What does not: a flush, and a thread for whom another CPU is idle.
	m, f := futexing(t, futexWait, 5)
	m.Global.WaitCycles = 1 << 31
	m.Global.CPU[1].State = abi.CPUHalt
	n := 0
	cpu.Machine.OnPause = func() {
		switch n++; n {
		case 3:
			m.Private.Self.FlushReq++
		case 5:
			if m.Private.Self.FlushAck != m.Private.Self.FlushReq {
				t.Error("a flush is not answered")
			}
			m.AddSlot(4)
			sched.Enqueue(4)
		case 8:
			uaccess.User[word] = 6
		}
	}
	if r, ok := result(t, f); !ok || r != -eagain {
		t.Errorf("disturbed: %d, %v", r, ok)
	}
}

func TestFutexWake(t *testing.T) {
	bucket := word / 4 % abi.FutexBuckets
	for _, tt := range []struct {
		name  string
		set   func(f *window.Frame)
		empty bool
	}{
		{"nobody waits", func(*window.Frame) {}, true},
		{"all", func(f *window.Frame) { f.Regs.RDX = 1<<31 - 1 }, true},
		{"a waiter elsewhere", func(*window.Frame) { window.Space().Waiting[bucket+1]++ }, true},
		{"no such page", func(f *window.Frame) { f.Regs.RDI = 0x9000 }, true},
		{"a waiter", func(*window.Frame) { window.Space().Waiting[bucket]++ }, false},
		{"one who could be", func(*window.Frame) { window.Space().Unknown++ }, false},
		{"wakes none", func(f *window.Frame) { f.Regs.RDX = 0 }, false},
		{"wakes -1", func(f *window.Frame) { f.Regs.RDX = 1<<32 - 1 }, false},
		{"odd address", func(f *window.Frame) { f.Regs.RDI += 2 }, false},
		{"no address", func(f *window.Frame) { f.Regs.RDI = 1 << 47 }, false},
	} {
		_, f := futexing(t, futexWake, 1)
		tt.set(f)
		if r, ok := result(t, f); ok != tt.empty || r != 0 {
			t.Errorf("%s: %d, %v", tt.name, r, ok)
		}
	}
}

// TestFutexForwarded has calls that Linux looks at in an order of its own.
func TestFutexForwarded(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   uint64
		set  func(f *window.Frame)
	}{
		{"shared", 0, func(*window.Frame) {}},
		{"time-out", futexWait, func(f *window.Frame) { f.Regs.R10 = 8 }},
		{"time-out with a bit set", futexWaitBitset, func(f *window.Frame) { f.Regs.R10 = 8 }},
		{"some bits", futexWaitBitset, func(f *window.Frame) { f.Regs.R9 = 1 }},
		{"clock of a plain wait", futexWait | futexRealtime, func(*window.Frame) {}},
		{"requeue", 3 | futexPrivate, func(*window.Frame) {}},
		{"high bits", futexWait | 1<<32, func(*window.Frame) {}},
		{"odd address", futexWait, func(f *window.Frame) { f.Regs.RDI++ }},
		{"no address", futexWait, func(f *window.Frame) { f.Regs.RDI = 1<<64 - 4 }},
	} {
		_, f := futexing(t, tt.op, 4)
		tt.set(f)
		if r, ok := result(t, f); ok {
			t.Errorf("%s: answered %d", tt.name, r)
		}
	}
}
