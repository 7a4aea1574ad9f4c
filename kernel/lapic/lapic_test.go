//go:build !metal

package lapic

import (
	"math/big"
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
	"pgregory.net/rapid"
)

func TestTimerCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cycles := rapid.Uint64().Draw(t, "cycles")
		scale := rapid.Uint64Range(1, 1<<24).Draw(t, "scale")
		want := new(big.Int).Mul(new(big.Int).SetUint64(cycles), new(big.Int).SetUint64(scale))
		want.Rsh(want, window.TimerShift)
		got := uint64(timerCount(cycles, scale))
		switch {
		case want.Sign() == 0:
			if got != 1 {
				t.Errorf("%d, want 1: 0 stops the timer", got)
			}
		case want.Cmp(big.NewInt(maxCount)) > 0:
			if got != maxCount {
				t.Errorf("%d, want the most the counter holds", got)
			}
		case got != want.Uint64():
			t.Errorf("%d, want %d", got, want)
		}
	})
}

func TestCalibrateTimer(t *testing.T) {
	m := window.Reset(1)
	cpu.Machine.TSCStep = 1000
	// The timer counts down one tick each four TSC cycles.
	cpu.Machine.OnPause = func() {
		cpu.Machine.MSR[cpu.MSRX2APIC+regTimerNow/16] = uint64(uint32(maxCount - cpu.Machine.TSC/4))
	}
	cpu.Machine.MSR[cpu.MSRX2APIC+regTimerNow/16] = maxCount
	CalibrateTimer()
	if got, want := m.Private.TimerScale, uint64(1<<window.TimerShift/4); got < want*99/100 || got > want*101/100 {
		t.Errorf("scale = %d, want about %d", got, want)
	}
	if lvt := cpu.Machine.MSR[cpu.MSRX2APIC+regLVTTimer/16]; lvt != abi.VecTimer {
		t.Errorf("timer entry = %#x, want one-shot, unmasked, vector %#x", lvt, abi.VecTimer)
	}
}

func TestSend(t *testing.T) {
	m := window.Reset(1)
	Send(0x123, 0xe0)
	if w := cpu.Machine.Writes(cpu.MSRX2APIC + regICR/16); len(w) != 1 || w[0] != 0x123_0000_00e0 {
		t.Errorf("x2APIC: %x", w)
	}
	m.Config.Features &^= abi.FX2APIC
	Send(7, 0xe1)
	if hi, lo := m.APIC[regICRHigh/4], m.APIC[regICR/4]; hi != 7<<24 || lo != 0xe1 {
		t.Errorf("xAPIC: %#x %#x", hi, lo)
	}
}

// Entries that an old local APIC lacks must not be touched: they fault.
func TestEnableMasksWhatThereIs(t *testing.T) {
	window.Reset(1)
	cpu.Machine.MSR[cpu.MSRX2APIC+regVersion/16] = 3 << 16
	Enable()
	for _, reg := range []uint32{regLVTPerf, regLVTTherm, regLVTCMCI} {
		if w := cpu.Machine.Writes(cpu.MSRX2APIC + reg/16); len(w) != 0 {
			t.Errorf("register %#x written", reg)
		}
	}
	window.Reset(1)
	cpu.Machine.MSR[cpu.MSRX2APIC+regVersion/16] = 6 << 16
	Enable()
	for _, reg := range []uint32{regLVTTimer, regLVTLint0, regLVTLint1, regLVTError, regLVTPerf, regLVTTherm, regLVTCMCI} {
		if w := cpu.Machine.Writes(cpu.MSRX2APIC + reg/16); len(w) != 1 || w[0]&lvtMasked == 0 {
			t.Errorf("register %#x: %x", reg, w)
		}
	}
}
