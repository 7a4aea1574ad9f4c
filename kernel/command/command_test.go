//go:build !metal

package command

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

func TestUnknownCommandsAreIgnored(t *testing.T) {
	m := window.Reset(1)
	Obey(abi.CmdNone)
	Obey(999)
	if m.Private.Self.State != abi.CPUDown || cpu.Machine.Count(cpu.OpCR3) != 0 {
		t.Error("something happened")
	}
}

func TestCrashesAreRealFaults(t *testing.T) {
	window.Reset(1)
	for _, c := range []uint32{abi.CmdCrashBounds, abi.CmdCrashPointer} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("command %d does not fail", c)
				}
			}()
			Obey(c)
		}()
	}
}

func TestRecursionIsNotCutShort(t *testing.T) {
	if got := recurse(1000); got != 500500 {
		t.Errorf("recurse(1000) = %d", got)
	}
}
