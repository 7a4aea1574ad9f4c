// Command gospin is a Go program to be sent away: goroutines on several threads,
// channels, garbage collection, asynchronous preemption, timers and a child process.
//
// It prints the same lines wherever it runs. Unless WHERE=any it ends with status
// 99 when none of its threads ever left the home CPU (HOME_APICS, a bit mask).
// `gospin count` only prints how many CPUs the runtime found.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const exitNotAway = 99

// cpuid executes the instruction.
func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)

// apicID returns the APIC id of the CPU that the calling thread runs on.
func apicID() uint32 {
	if top, _, _, _ := cpuid(0, 0); top >= 0xb {
		if _, b, _, id := cpuid(0xb, 0); b != 0 {
			return id
		}
	}
	_, b, _, _ := cpuid(1, 0)
	return b >> 24
}

var away atomic.Int64

// look counts the calling thread when it is away.
func look(home uint64) {
	if id := apicID(); id >= 64 || home>>id&1 == 0 {
		away.Add(1)
	}
}

// work computes without a call of any kind for a while, so that only a signal
// of the runtime can preempt it, and makes some garbage in between.
func work(home uint64, seed uint64) uint64 {
	x := seed
	var keep [][]uint64
	for i := range 200 {
		for range 200_000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		look(home)
		keep = append(keep, make([]uint64, 1000))
		keep[i/2][i] = x
	}
	return x ^ keep[0][0]
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "count" {
		fmt.Println(runtime.NumCPU())
		return
	}
	home := uint64(1)
	if s := os.Getenv("HOME_APICS"); s != "" {
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			fmt.Fprintf(os.Stderr, "gospin: HOME_APICS=%s is not a bit mask\n", s)
			os.Exit(2)
		}
		home = n
	}
	runtime.GOMAXPROCS(4)
	results := make([]uint64, 6)
	var wait sync.WaitGroup
	for i := range results {
		wait.Add(1)
		go func() {
			defer wait.Done()
			results[i] = work(home, uint64(i))
		}()
	}
	ticks := 0
	for ticker := time.NewTicker(time.Millisecond); ticks < 20; ticks++ {
		<-ticker.C
	}
	wait.Wait()
	runtime.GC()
	fmt.Println("ticks", ticks)
	for i, r := range results {
		fmt.Printf("goroutine %d: %#x\n", i, r)
	}
	out, err := exec.Command("sh", "-c", "echo child $((6 * 7))").Output()
	fmt.Println(strings.TrimSpace(string(out)), err)
	if away.Load() == 0 && os.Getenv("WHERE") != "any" {
		fmt.Fprintln(os.Stderr, "gospin: no thread ever left the home CPU")
		os.Exit(exitNotAway)
	}
}
