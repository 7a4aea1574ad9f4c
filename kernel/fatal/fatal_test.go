//go:build !metal

package fatal

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/slot"
	"apkern/kernel/window"
	"pgregory.net/rapid"
)

const image uint64 = 1<<64 + abi.Image

// table builds a line table as the post-link tool does.
func table(lines []abi.Line, names ...string) []byte {
	var offsets []uint32
	var text string
	for _, n := range names {
		offsets = append(offsets, uint32(len(text)))
		text += n + "\x00"
	}
	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	write([]uint32{abi.LinesMagic, uint32(len(lines)), uint32(len(names)), uint32(len(text))})
	for _, l := range lines {
		write(l.PC)
		write([]uint16{l.File, l.Line})
	}
	write(offsets)
	b.WriteString(text)
	return b.Bytes()
}

func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// fails runs f, which must stop the CPU.
func fails(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if r := recover(); r != (cpu.Stopped{}) {
			t.Fatalf("did not stop the CPU: %v", r)
		}
	}()
	f()
}

func TestSearchIsLinearSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := window.Reset(1)
		var lines []abi.Line
		pc := uint32(0)
		for range rapid.IntRange(0, 40).Draw(t, "entries") {
			pc += rapid.Uint32Range(1, 9).Draw(t, "step")
			lines = append(lines, abi.Line{PC: pc, Line: rapid.Uint16Range(0, 3).Draw(t, "line")})
		}
		m.Lines = table(lines, "a.go")
		off := rapid.Uint32Range(0, pc+10).Draw(t, "pc")
		var want abi.Line
		for _, l := range lines {
			if l.PC <= off {
				want = l
			}
		}
		lt, ok := window.OpenLines(window.LineTable())
		if !ok {
			t.Fatal("table refused")
		}
		got, ok := search(lt, image+uint64(off))
		if ok != (want.Line != 0) || ok && got != want {
			t.Errorf("%+v, %v; want %+v", got, ok, want)
		}
	})
}

func TestReportNamesFileAndLine(t *testing.T) {
	lines := []abi.Line{{PC: 0x1000, File: 0, Line: 10}, {PC: 0x1010, File: 1, Line: 20}, {PC: 0x1020, Line: 0}}
	good := table(lines, "kernel/a/a.go", "kernel/b/b.go")
	tests := []struct {
		name       string
		lines      []byte
		kind, pc   uint64
		file, want string
		line       uint32
	}{
		{"panic", good, abi.FatalPanic, image + 0x1010, "kernel/a/a.go", "fatal: Go panic (index, nil, division or throw) at kernel/a/a.go:10 0xffffffff8100100f", 10},
		{"stack", good, abi.FatalStack, image + 0x1011, "kernel/b/b.go", "fatal: stack used up at kernel/b/b.go:20 0xffffffff81001010", 20},
		{"interrupted instruction", good, abi.FatalDouble, image + 0x1010, "kernel/b/b.go", "fatal: double fault, address 0x0 at kernel/b/b.go:20 0xffffffff81001010", 20},
		{"outside", good, abi.FatalCheck, image + 0x1030, "", "fatal: machine check that cannot be survived at pc 0xffffffff81001030", 0},
		{"user address", good, abi.FatalCheck, 0x400000, "", "fatal: machine check that cannot be survived at pc 0x400000", 0},
		{"no table", nil, abi.FatalCheck, image + 0x1010, "", "fatal: machine check that cannot be survived at pc 0xffffffff81001010", 0},
		{"not a table", []byte("this is something else altogether"), abi.FatalCheck, image + 0x1010, "", "fatal: machine check that cannot be survived at pc 0xffffffff81001010", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := window.Reset(1)
			m.Lines = tt.lines
			fails(t, func() { Stop(tt.kind, tt.pc, 0x5000) })
			d := &m.Config.Fatal
			if text(d.File[:]) != tt.file || d.Line != tt.line || uint64(d.Kind) != tt.kind || d.RSP != 0x5000 {
				t.Errorf("%q:%d, kind %d, sp %#x", text(d.File[:]), d.Line, d.Kind, d.RSP)
			}
			if got := text(m.Log.Record[0].Text[:]); got != tt.want || m.Log.Record[0].Level != abi.LogFatal {
				t.Errorf("log %q, want %q", got, tt.want)
			}
		})
	}
}

func TestThreadGoesHomeIfItsRegistersAreKnown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stage window.Stage
		kind  uint64
		home  bool
		saved bool // what the frame has
		fpu   bool // and its vector registers
	}{
		{"in its frame", window.StageFrame, abi.FatalPanic, true, true, true},
		{"making a call", window.StageCall, abi.FatalPanic, true, true, false},
		{"still in its slot", window.StageClaimed, abi.FatalPanic, true, false, false},
		{"in the processor", window.StageUser, abi.FatalDouble, false, false, false},
		{"after a machine check", window.StageFrame, abi.FatalCheck, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := window.Reset(1)
			p := m.AddSlot(3)
			m.Global.Head[3].State = abi.Ready
			if !slot.Take(3) {
				t.Fatal("not taken")
			}
			m.Private.Stage = tt.stage
			m.Private.Self.Space, m.Private.Self.FlushReq = 9, 4
			p.Slot.Regs.RIP, m.Frame.Regs.RIP = 0x1111, 0x2222
			m.Frame.XMM[0][0] = 0x33
			fails(t, func() { Stop(tt.kind, image, 0) })
			if got := m.Global.Head[3].State == abi.Event; got != tt.home {
				t.Errorf("home: %v, want %v", got, tt.home)
			}
			if tt.home && p.Slot.Event != abi.EvFatal {
				t.Errorf("event %d", p.Slot.Event)
			}
			if got := p.Slot.Regs.RIP == 0x2222; got != tt.saved {
				t.Errorf("saved: %v, want %v", got, tt.saved)
			}
			if got := p.FPU[160] == 0x33; got != tt.fpu {
				t.Errorf("vector registers saved: %v, want %v", got, tt.fpu)
			}
			h := m.Private.Self
			if h.State != abi.CPUFailed || h.Space != 0 || h.FlushAck < h.FlushReq || cpu.Machine.CR3 != m.Config.IdleTop {
				t.Errorf("state %d, space %d, acknowledged %d, CR3 %#x", h.State, h.Space, h.FlushAck, cpu.Machine.CR3)
			}
			if m.Stat.Count[abi.CBell] == 0 {
				t.Error("home was not called")
			}
		})
	}
}

// A failure in the fatal path itself still stops the CPU and lets go of all
// that Linux might wait for.
func TestSecondFailure(t *testing.T) {
	m := window.Reset(1)
	m.Private.Failing = 1
	m.Private.Stage = window.StageFrame // with no slot mapped: touching it panics
	fails(t, func() { Stop(abi.FatalPanic, image, 0) })
	if m.Private.Self.State != abi.CPUFailed || m.Log.Next != 0 || m.Stat.Count[abi.CBell] != 1 {
		t.Errorf("state %d, log %d, bells %d", m.Private.Self.State, m.Log.Next, m.Stat.Count[abi.CBell])
	}
}

func TestTrapDescribesTheException(t *testing.T) {
	m := window.Reset(1)
	cpu.Machine.CR2 = 0xdead
	f := &window.Frame{Regs: abi.Regs{Vector: 14, Err: 2, RIP: image + 1}}
	fails(t, func() { Trap(f) })
	if got := text(m.Config.Fatal.Text[:]); !strings.Contains(got, "exception 14, error 0x2, address 0xdead") {
		t.Errorf("%q", got)
	}
}
