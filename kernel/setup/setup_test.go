//go:build !metal

package setup

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

func TestGDT(t *testing.T) {
	var gdt [window.GDTEntries]uint64
	const tss = 0xffffffff80001234
	fillGDT(&gdt, tss, 0x12345)
	base := gdt[8]>>16&0xffffff | gdt[8]>>56<<24 | gdt[9]<<32
	if limit := gdt[8] & 0xffff; base != tss || limit != 103 || gdt[8]>>40&0xff != 0x89 {
		t.Errorf("TSS at %#x, limit %d, type %#x", base, limit, gdt[8]>>40&0xff)
	}
	if limit := gdt[15]&0xffff | gdt[15]>>48&0xf<<16; limit != 0x12345 {
		t.Errorf("LSL gives %#x", limit)
	}
	for i, d := range gdt {
		const code, user, long = 1 << 43, 3 << 45, 1 << 53
		present := d>>47&1 != 0
		if present && i != gdtTSS && d&code != 0 && d&user == user && d&long == 0 {
			t.Errorf("entry %d is a 32-bit user code segment", i)
		}
	}
	if gdt[0x23>>3] != 0 {
		t.Error("selector 0x23 must not be valid")
	}
}

func TestTSS(t *testing.T) {
	var tss [window.TSSWords]uint32
	fillTSS(&tss)
	stack := func(word int) uint64 { return uint64(tss[word+1])<<32 | uint64(tss[word]) }
	if got := stack(1); got != 0xffffffff80006000 {
		t.Errorf("RSP0 = %#x", got)
	}
	for ist, want := range map[int]uint64{
		istDoubleFault: 0xffffffff80017000, istNMI: 0xffffffff8001b000,
		istMachineCheck: 0xffffffff8001f000, istDebug: 0xffffffff80023000,
	} {
		if got := stack(7 + 2*ist); got != want {
			t.Errorf("IST%d = %#x, want %#x", ist, got, want)
		}
	}
	if tss[25]>>16 < tssBytes {
		t.Error("the I/O permission map is inside the limit: user mode could do I/O")
	}
}

func TestGates(t *testing.T) {
	e := &Entries{Stubs: 0xffffffff81001000, Debug: 1, NMI: 2, DoubleFault: 3, MachineCheck: 4}
	for v := range 256 {
		g := gateFor(v, e)
		if g.attr>>5&3 != 0 || g.attr&0x80 == 0 || g.attr&0xf != 0xe || g.selector != 0x10 {
			t.Errorf("vector %d: attributes %#x, selector %#x", v, g.attr, g.selector)
		}
		at := uint64(g.offset0) | uint64(g.offset1)<<16 | uint64(g.offset2)<<32
		want, ist := e.Stubs+uint64(v)*16, uint8(0)
		switch v {
		case 1:
			want, ist = 1, istDebug
		case 2:
			want, ist = 2, istNMI
		case 8:
			want, ist = 3, istDoubleFault
		case 18:
			want, ist = 4, istMachineCheck
		}
		if at != want || g.ist != ist {
			t.Errorf("vector %d: %#x on stack %d, want %#x on %d", v, at, g.ist, want, ist)
		}
	}
}

// start runs CPU with a home that is ready at the first look.
func start(m *window.Sim) {
	cpu.Machine.TSCStep = 1000
	cpu.Machine.OnPause = func() {
		if m.Config.Warp.Phase == 0 {
			m.Config.Warp.Phase = warpHome
		}
	}
	CPU(&Entries{Stubs: 0xffffffff81001000, Syscall: 0x5ca11, Restore: 0x4e5})
}

func TestCPU(t *testing.T) {
	m := window.Reset(1)
	h := m.Private.Self
	m.Private.Self = nil
	*h = abi.CPUHead{APICID: h.APICID, LinuxCPU: 1, FlushReq: 12, FlushAck: 1 << 62, Space: 5, Slot: 2, State: abi.CPUFailed, Ticking: 1}
	m.Config.EFER, m.Config.PAT = 0xd01, 0x0407050600070106
	m.Config.Features |= abi.FTSCAux | abi.FTSCAdjust
	m.Config.TSCAdjust = 77
	start(m)
	if m.Config.Alive != 1 || m.Config.Warp.Phase != warpDone || m.Private.Self != h {
		t.Errorf("alive %d, phase %d", m.Config.Alive, m.Config.Warp.Phase)
	}
	if h.FlushAck != 12 || h.Space != 0 || h.Slot != 0 || h.State != abi.CPUPoll || h.Ticking != 0 {
		t.Errorf("a CPU started again keeps old promises: %+v", h)
	}
	for msr, want := range map[uint32]uint64{
		cpu.MSREFER: 0xd01, cpu.MSRPAT: m.Config.PAT, cpu.MSRLSTAR: 0x5ca11, cpu.MSRTSCAux: 1,
		cpu.MSRTSCAdjust: 77, cpu.MSRSysenterCS: 0, cpu.MSRKernelGS: 0, cpu.MSRFMASK: 0x257fd5,
		cpu.MSRSTAR: 0x0023_0010_0000_0000,
	} {
		if w := cpu.Machine.Writes(msr); len(w) != 1 || w[0] != want {
			t.Errorf("MSR %#x: %#x, want %#x", msr, w, want)
		}
	}
	if w := cpu.Machine.Writes(cpu.MSRXFD); len(w) != 0 {
		t.Error("XFD written on a CPU without it")
	}
	if m.Private.RestorePC != 0x4e5 || m.Log.Next != 2 {
		t.Errorf("restore %#x, log %d", m.Private.RestorePC, m.Log.Next)
	}
}

func TestProcessOfLinuxIsForgotten(t *testing.T) {
	for _, tt := range []struct{ last, features, writes uint32 }{{6, 1 << 29, 0}, {7, 0, 0}, {7, 1 << 29, 1}} {
		window.Reset(1)
		cpu.Machine.Leaf = map[uint32][4]uint32{0: {tt.last}, 7: {0, 0, tt.features}}
		forgetProcess()
		if w := cpu.Machine.Writes(cpu.MSRPASID); len(w) != int(tt.writes) || len(w) == 1 && w[0] != 0 {
			t.Errorf("last leaf %d, features %#x: %v", tt.last, tt.features, w)
		}
	}
}

func TestWarp(t *testing.T) {
	m := window.Reset(1)
	start(m)
	if w := m.Config.Warp.CPUWarp; w != 0 {
		t.Errorf("a clock that only goes forward warps by %d", w)
	}
	m = window.Reset(1)
	m.Config.Warp.Cycles = 10_000
	m.Config.Warp.Last = 1 << 40 // home's clock is far ahead
	start(m)
	if w := m.Config.Warp.CPUWarp; w == 0 || w >= 1<<40 {
		t.Errorf("warp = %d", w)
	}
	m = window.Reset(1)
	m.Config.Warp.Cycles = 10_000
	m.Config.Warp.CPUSkew = 1 << 41
	start(m)
	if m.Config.Warp.Last < 1<<41 {
		t.Error("the injected skew is not in the readings that home compares with")
	}
}
