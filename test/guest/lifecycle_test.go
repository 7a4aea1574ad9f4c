package guest

import (
	"bufio"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// loadMemory is what the kernel's memory may grow by in nineteen loads, in KiB; three CPUs have 600 each time.
const loadMemory = 3 << 10

// TestLoadUnload: twenty times the module is loaded, takes its CPUs, runs
// something on all of them (on eight where there are more: those that spin at the
// same time would take an emulator minutes) and gives everything back.
func TestLoadUnload(t *testing.T) {
	mustUnload(t)
	online := readFile(t, onlineFile)
	log := openKernelLog(t)
	var first footprint
	for i := range 20 {
		mustLoad(t, "stay=0")
		cpus := len(cpuList(t, "cpus"))
		if cpus == 0 {
			t.Fatal("no CPU was taken")
		}
		succeed(t, preload, program("parallel"), strconv.Itoa(min(cpus, 8)), "10")
		mustUnload(t)
		if err := untouched(online); err != nil {
			t.Fatalf("after %d rounds: %v", i+1, err)
		}
		if i == 0 {
			first = readFootprint(t)
		}
	}
	last := readFootprint(t)
	t.Logf("after the first round: %v, after the last: %v", first, last)
	grown(t, first, last, loadMemory)
	for _, line := range log.complaints() {
		t.Errorf("kernel log: %s", line)
	}
}

// TestSecondLoad: the module is there once.
func TestSecondLoad(t *testing.T) {
	begin(t)
	if err := load(""); err != unix.EEXIST {
		t.Errorf("second insmod: %v, not %v", err, unix.EEXIST)
	}
	succeed(t, preload, program("parallel"), "2", "10")
}

// TestUnloadBusy: while threads are away, or a file is open, rmmod is refused
// and nothing changes; once they are gone it succeeds.
func TestUnloadBusy(t *testing.T) {
	begin(t)
	s := startSpinner(t, 3)
	for range 10 {
		if err := unload(); err != unix.EWOULDBLOCK {
			t.Fatalf("rmmod with visitors: %v, not %v", err, unix.EWOULDBLOCK)
		}
		s.alive()
	}
	s.kill()
	settle(t)
	fd, err := unix.Open("/dev/apkern", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unload(); err != unix.EWOULDBLOCK {
		t.Errorf("rmmod with the device open: %v, not %v", err, unix.EWOULDBLOCK)
	}
	unix.Close(fd)
	mustUnload(t)
	mustLoad(t, "")
}

// kills is how often TestKill kills. The number of mm_structs may grow by
// growth, which the allocator's caches explain; one leaked with each kill would
// make it grow by kills.
const (
	kills  = 500
	growth = kills / 4
)

// TestKill: a process that does a bit of everything on all CPUs is killed at
// random moments. begin checks that no thread, slot or reference is left.
func TestKill(t *testing.T) {
	begin(t)
	killOnce(t, 0)
	settle(t)
	before := memoryMaps(t)
	rounds := fewer(kills)
	for i := range rounds {
		killOnce(t, time.Duration(rand.IntN(20_000))*time.Microsecond)
		if t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	settle(t)
	// A kernel that watches itself keeps what is freed for a while; it looks for leaks by other means.
	if after := memoryMaps(t); after-before > growth && !watched() {
		t.Errorf("%d mm_structs before, %d after %d kills", before, after, rounds)
	}
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "50")
}

// killOnce starts churn and kills it so long after its threads were all away.
func killOnce(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := start(t, preload, command{argv: []string{program("churn")}})
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(patient(timeLimit), func() { killGroup(cmd) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Errorf("churn: said %q: %v", line, err)
	}
	time.Sleep(after)
	killGroup(cmd)
	_ = cmd.Wait() // its status is looked at below
	if !hung.Stop() {
		t.Errorf("churn: not ready within %v", patient(timeLimit))
	}
	if s := status(cmd.ProcessState); s != 128+int(unix.SIGKILL) {
		t.Errorf("churn: status %d before it was killed", s)
	}
}

// memoryMaps returns how many mm_structs the kernel has in use.
func memoryMaps(t *testing.T) int {
	t.Helper()
	for _, line := range strings.Split(readFile(t, "/proc/slabinfo"), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "mm_struct" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("/proc/slabinfo has no line mm_struct")
	return 0
}
