package guest

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestBusy: for $BUSY_SECONDS (120) one CPU after the other goes, and comes a tenth of a second later,
// under a server and its clients, a compiler and threads that compute.
func TestBusy(t *testing.T) {
	begin(t)
	atEnd(t)
	cpus := cpuList(t, "cpus")
	compile := compiling(t)
	c := startComputing(t, preload, len(cpus)+1)
	compiler, server := keepOn(t, compile), startRedis(t)
	length := time.Duration(environmentNumber(t, "BUSY_SECONDS", 120)) * time.Second
	behind := ahead(t)
	changes := 0
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); changes++ {
		what := "add"
		cpu := cpus[changes/2%len(cpus)]
		if slices.Contains(cpuList(t, "cpus"), cpu) {
			what = "remove"
		}
		mustChange(t, what, strconv.Itoa(cpu))
		time.Sleep(changePause)
	}
	behind()
	_, seen := c.finish() // the others need not wait behind it any longer
	requests, compiled := server.end()*increments, compiler.end()
	for _, cpu := range cpus {
		if seen>>cpu&1 == 0 {
			t.Errorf("nothing was computed on CPU %d: APIC ids %#x", cpu, seen)
		}
	}
	t.Logf("%d changes in %v, %d requests, %d programs made", changes, length, requests, compiled)
}
