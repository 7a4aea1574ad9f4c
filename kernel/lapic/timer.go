package lapic

import (
	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

// calibrationCycles is how many TSC cycles the timer is compared over: about
// one millisecond.
const calibrationCycles = 1 << 21

// maxCount is what the timer's counter holds.
const maxCount = 1<<32 - 1

// CalibrateTimer measures the timer against the TSC and leaves it stopped,
// ready for StartTimer. The timer's input clock is divided by one.
func CalibrateTimer() {
	write(regTimerDiv, divideByOne)
	write(regLVTTimer, lvtMasked|abi.VecTimer)
	write(regTimerSet, maxCount)
	start := cpu.ReadTSC()
	first := read(regTimerNow)
	for cpu.ReadTSC()-start < calibrationCycles {
		cpu.Pause()
	}
	ticks := uint64(first - read(regTimerNow))
	elapsed := cpu.ReadTSC() - start
	write(regTimerSet, 0)
	write(regLVTTimer, abi.VecTimer) // one-shot, not masked
	window.GetPrivate().TimerScale = max(ticks<<window.TimerShift/elapsed, 1)
}

// StartTimer has abi.VecTimer delivered once after that many TSC cycles.
func StartTimer(cycles uint64) {
	write(regTimerSet, timerCount(cycles, window.GetPrivate().TimerScale))
}

// StopTimer keeps a started timer from firing; an interrupt that is already
// pending still comes.
func StopTimer() { write(regTimerSet, 0) }

// timerCount converts TSC cycles to timer ticks, within what the counter
// holds. 0 would stop the timer.
func timerCount(cycles, scale uint64) uint32 {
	if cycles > ^uint64(0)/scale {
		return maxCount
	}
	return uint32(min(max(cycles*scale>>window.TimerShift, 1), maxCount))
}
