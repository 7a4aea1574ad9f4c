//go:build !metal

package space

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

// setUp returns a machine and two slots of different address spaces.
func setUp() (m *window.Sim, spaces [2]*abi.Space, slots [2]*abi.Slot) {
	m = window.Reset(1)
	for i := range spaces {
		id := uint64(i + 1)
		sp, phys := m.AddSpace(id)
		for e := range sp.Top {
			sp.Top[e] = id<<32 + uint64(e)
		}
		spaces[i] = sp
		slots[i] = &abi.Slot{SpaceID: id, SpacePhys: phys}
	}
	return m, spaces, slots
}

func TestLoadPublishesBeforeItCopies(t *testing.T) {
	m, spaces, slots := setUp()
	Load(slots[0])
	if m.Private.Self.Space != 1 || m.Top != spaces[0].Top || cpu.Machine.CR3 != m.Config.UserTop {
		t.Errorf("space %d, CR3 %#x", m.Private.Self.Space, cpu.Machine.CR3)
	}
	cr3 := cpu.Machine.Count(cpu.OpCR3)
	Load(slots[0])
	if cpu.Machine.Count(cpu.OpCR3) != cr3 {
		t.Error("a loaded, unchanged space was loaded again")
	}
	if n := m.Stat.Count[abi.CLoad]; n != 1 {
		t.Errorf("%d loads counted, want 1", n)
	}
}

func TestLoadCopiesAfreshWhenTheGenerationChanged(t *testing.T) {
	m, spaces, slots := setUp()
	Load(slots[0])
	spaces[0].Top[3] = 0x777
	spaces[0].Generation++
	cr3 := cpu.Machine.Count(cpu.OpCR3)
	Load(slots[0])
	if m.Top[3] != 0x777 || cpu.Machine.Count(cpu.OpCR3) != cr3+1 {
		t.Errorf("entry %#x, %d loads of CR3", m.Top[3], cpu.Machine.Count(cpu.OpCR3)-cr3)
	}
}

// While the shared table holds entries of two spaces, it must not be loaded,
// and each space must be announced as long as it can be walked.
func TestSwitchUnloadsInBetween(t *testing.T) {
	m, spaces, slots := setUp()
	Load(slots[0])
	var order []uint64
	cpu.Machine.OnCR3 = func() {
		order = append(order, cpu.Machine.CR3)
		switch cpu.Machine.CR3 {
		case m.Config.IdleTop:
			if m.Private.Self.Space != 1 {
				t.Errorf("space 1 was disowned before it was unloaded: %d", m.Private.Self.Space)
			}
			if m.Top != spaces[0].Top {
				t.Error("the table changed while it was loaded")
			}
		case m.Config.UserTop:
			if m.Private.Self.Space != 2 {
				t.Errorf("space 2 was loaded before it was announced: %d", m.Private.Self.Space)
			}
		}
	}
	Load(slots[1])
	if len(order) != 2 || order[0] != m.Config.IdleTop || order[1] != m.Config.UserTop {
		t.Errorf("CR3 loads %#x", order)
	}
	if m.Top != spaces[1].Top {
		t.Error("not the second space's entries")
	}
}

func TestServeWithAThread(t *testing.T) {
	m, spaces, slots := setUp()
	Load(slots[0])
	h := m.Private.Self
	h.Slot, h.FlushReq = 1, 5
	spaces[0].Top[0] = 0
	spaces[0].Generation++
	cpu.Machine.OnCR3 = func() {
		if h.FlushAck != 0 {
			t.Error("acknowledged before the flush")
		}
		h.FlushReq = 6 // a request that comes during the flush is not covered by it
	}
	Serve()
	if h.FlushAck != 5 || !Pending() {
		t.Errorf("acknowledged %d, pending %v; want 5, true", h.FlushAck, Pending())
	}
	if cpu.Machine.CR3 != m.Config.UserTop || m.Top[0] != 0 {
		t.Errorf("CR3 %#x, entry %#x: the top entries must be copied afresh", cpu.Machine.CR3, m.Top[0])
	}
	cpu.Machine.OnCR3 = nil
	Serve()
	if h.FlushAck != 6 || Pending() || m.Stat.Count[abi.CFlush] != 2 {
		t.Errorf("acknowledged %d, counted %d", h.FlushAck, m.Stat.Count[abi.CFlush])
	}
}

func TestServeIdleUnloads(t *testing.T) {
	m, _, slots := setUp()
	Load(slots[0])
	h := m.Private.Self
	h.FlushReq = 1
	Serve()
	if h.Space != 0 || cpu.Machine.CR3 != m.Config.IdleTop || h.FlushAck != 1 {
		t.Errorf("space %d, CR3 %#x, acknowledged %d", h.Space, cpu.Machine.CR3, h.FlushAck)
	}
	h.FlushReq = 2 // home saw the space loaded just before
	cr3 := cpu.Machine.Count(cpu.OpCR3)
	Serve()
	if h.FlushAck != 2 || cpu.Machine.Count(cpu.OpCR3) != cr3 {
		t.Errorf("acknowledged %d with nothing loaded", h.FlushAck)
	}
}

func TestAbandonAcknowledgesWhatComes(t *testing.T) {
	m, _, slots := setUp()
	Load(slots[0])
	m.Private.Self.FlushReq = 3
	Abandon()
	m.Private.Self.FlushReq += 1000
	h := m.Private.Self
	if h.Space != 0 || cpu.Machine.CR3 != m.Config.IdleTop || h.FlushAck < h.FlushReq || int64(h.FlushAck-h.FlushReq) < 0 {
		t.Errorf("space %d, CR3 %#x, acknowledged %d of %d", h.Space, cpu.Machine.CR3, h.FlushAck, h.FlushReq)
	}
}
