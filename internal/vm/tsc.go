package vm

import (
	"fmt"
	"sync"
	"time"
)

// A guest under TCG reads the host's own time-stamp counter, but measures its
// frequency against timers that QEMU emulates. On a busy host it was seen to be
// wrong tenfold, and with it the guest's clock, every timeout and every time
// slice. So the host measures, and tells it.

// readTSC returns the time-stamp counter.
func readTSC() uint64

// tscSpan is for how long the counter is measured.
const tscSpan = 50 * time.Millisecond

// tscKHz measures the frequency of the host's time-stamp counter in kHz, once.
var tscKHz = sync.OnceValue(func() uint64 {
	first := markTSC()
	time.Sleep(tscSpan)
	last := markTSC()
	return uint64(float64(last.tsc-first.tsc) / last.at.Sub(first.at).Seconds() / 1000)
})

// tscMark is what the counter was at a time.
type tscMark struct {
	at  time.Time
	tsc uint64
}

// markTSC reads both clocks. Of several readings it returns the one in which
// least time passed meanwhile: nothing came between the two.
func markTSC() (best tscMark) {
	shortest := ^uint64(0)
	for range 100 {
		before := readTSC()
		now := time.Now()
		if after := readTSC(); after-before < shortest {
			shortest = after - before
			best = tscMark{at: now, tsc: before + (after-before)/2}
		}
	}
	return best
}

// tellTSC returns the kernel's command line with the counter's frequency. Under
// KVM the guest has better means. Linux: Documentation/admin-guide/
// kernel-parameters.txt, tsc_early_khz.
func tellTSC(accel, cmdLine string) string {
	if accel != accelTCG {
		return cmdLine
	}
	return fmt.Sprintf("tsc_early_khz=%d %s", tscKHz(), cmdLine)
}
