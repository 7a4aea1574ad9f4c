//go:build !metal

package admit

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/slot"
	"apkern/kernel/space"
	"apkern/kernel/window"
)

// machine has slot 3 on the CPU, with its address space loaded.
func machine(t *testing.T) (*window.Sim, *abi.Space, *abi.Head) {
	m := window.Reset(1)
	p := m.AddSlot(3)
	s, phys := m.AddSpace(7)
	p.Slot.SpaceID, p.Slot.SpacePhys = 7, phys
	h := &m.Global.Head[3]
	h.State = abi.Ready
	if !slot.Take(3) {
		t.Fatal("not taken")
	}
	space.Load(&p.Slot)
	return m, s, h
}

func TestNothingStandsAgainstIt(t *testing.T) {
	m, _, _ := machine(t)
	cpu.Machine.OnPause = func() { t.Error("it waited") }
	if e := Look(); e != abi.EvNone || m.Stat.Count[abi.CHeld] != 0 {
		t.Errorf("event %d, held %d times", e, m.Stat.Count[abi.CHeld])
	}
}

// A hold ends only when both numbers are 0; flushes are answered meanwhile.
func TestHold(t *testing.T) {
	m, s, _ := machine(t)
	s.Held, m.Global.Held = 1, 1
	looks := 0
	cpu.Machine.OnPause = func() {
		switch looks++; looks {
		case 1:
			s.Held = 0
			m.Private.Self.FlushReq = 1
		case 2:
			if m.Private.Self.FlushAck != 1 {
				t.Error("a flush was not answered during the hold")
			}
			s.Held, m.Global.Held = 1, 0
		case 3:
			s.Held = 0
		}
	}
	if e := Look(); e != abi.EvNone || looks != 3 || m.Stat.Count[abi.CHeld] != 1 {
		t.Errorf("event %d after %d looks, held %d times", e, looks, m.Stat.Count[abi.CHeld])
	}
}

func TestWhatEndsAHold(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*window.Sim, *abi.Head)
		want uint32
	}{
		{"recall", func(_ *window.Sim, h *abi.Head) { h.Recall = 1 }, abi.EvRecall},
		{"park", func(m *window.Sim, _ *abi.Head) { m.Private.Self.Command = abi.CmdPark }, abi.EvPark},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _, h := machine(t)
			m.Global.Held = 1
			cpu.Machine.OnPause = func() { tt.set(m, h) }
			if e := Look(); e != tt.want {
				t.Errorf("event %d, want %d", e, tt.want)
			}
		})
	}
}
