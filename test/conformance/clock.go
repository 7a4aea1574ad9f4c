package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockStatus is the guest's exit status when its clock is wrong.
const clockStatus = 3

var errClock = errors.New("the machine's clock is wrong")

// checkClock compares Linux's clock with the machine's own. On a busy host Linux
// may mistake the frequency of the time-stamp counter tenfold: limits are then no
// limits, and tests of time fail on either side.
func checkClock() error {
	const ticks = 2
	if err := awaitTick(); err != nil {
		return err
	}
	begun := time.Now()
	for range ticks {
		if err := awaitTick(); err != nil {
			return err
		}
	}
	if ratio := time.Since(begun).Seconds() / ticks; ratio < 0.6 || ratio > 1.6 {
		return fmt.Errorf("%w: %.1f seconds a second", errClock, ratio)
	}
	return nil
}

// awaitTick waits for the next second of the real-time clock.
func awaitTick() error {
	first, err := rtc()
	for now := first; err == nil; now, err = rtc() {
		if now != first {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

func rtc() (int, error) {
	text, err := os.ReadFile("/sys/class/rtc/rtc0/since_epoch")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
