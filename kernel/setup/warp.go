package setup

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
)

// Phases of the warp test (abi.Warp.Phase).
const (
	warpHome = 1 // home is ready
	warpCPU  = 2 // this CPU loops
	warpDone = 3 // this CPU is done
)

// warpTest compares this CPU's time-stamp counter with home's, which runs the
// same loop at the same time (arch/x86/kernel/tsc_sync.c, check_tsc_warp). A
// reading that is smaller than one taken before it on the other side is a
// step backwards.
func warpTest(w *abi.Warp) {
	for atomic.LoadUint32(&w.Phase) != warpHome {
		cpu.Pause()
	}
	atomic.StoreUint32(&w.Phase, warpCPU)
	start := cpu.ReadTSC()
	var largest uint64
	for cpu.ReadTSC()-start < w.Cycles {
		for atomic.SwapUint32(&w.Lock, 1) != 0 {
			cpu.Pause()
		}
		last := w.Last
		now := cpu.ReadTSC() + w.CPUSkew
		w.Last = now
		atomic.StoreUint32(&w.Lock, 0)
		if last > now {
			largest = max(largest, last-now)
		}
	}
	w.CPUWarp = largest
	atomic.StoreUint32(&w.Phase, warpDone)
}
