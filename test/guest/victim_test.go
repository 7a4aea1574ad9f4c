package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// page is how one thread of the program victim shows itself and is told things
// (test/programs/victim.c).
type page struct {
	turns   uint64
	apic    uint32
	tid     uint32
	command uint32
	result  int32
	signals uint32
	homed   uint32
	_       [4096 - 32]byte
}

// What a thread of victim can be told to do.
const (
	_ uint32 = iota
	cmdGetppid
	cmdFilter
	cmdProf
	cmdIgnoreXCPU
	cmdFaults
	cmdGetpid
)

// victim is a running instance of that program.
type victim struct {
	t     *testing.T
	way   way
	cmd   *exec.Cmd
	pages []page
	ended chan error
}

// startVictim starts one and returns when all its threads turn, away if adopted.
// It is killed when the test ends.
func startVictim(t *testing.T, w way, threads int) *victim {
	t.Helper()
	size := threads * int(unsafe.Sizeof(page{}))
	path := filepath.Join(t.TempDir(), "pages")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, way: w, pages: unsafe.Slice((*page)(unsafe.Pointer(&m[0])), threads), ended: make(chan error, 1)}
	v.cmd = start(t, w, command{argv: []string{program("victim"), path, strconv.Itoa(threads)}})
	v.cmd.Stderr = os.Stderr
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { v.ended <- v.cmd.Wait() }()
	t.Cleanup(func() {
		killGroup(v.cmd)
		select {
		case <-v.ended:
		case <-time.After(time.Minute):
			t.Error("the victim does not die")
		}
		if err := unix.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	for i := range v.pages {
		v.turning(i)
		v.away(i)
	}
	return v
}

func (v *victim) pid() int      { return v.cmd.Process.Pid }
func (v *victim) tid(i int) int { return int(atomic.LoadUint32(&v.pages[i].tid)) }

// turning waits until a thread has got on.
func (v *victim) turning(i int) {
	v.t.Helper()
	before := atomic.LoadUint64(&v.pages[i].turns)
	eventually(v.t, fmt.Sprintf("thread %d gets on", i), func() (bool, string) {
		n := atomic.LoadUint64(&v.pages[i].turns)
		return n > before+1, fmt.Sprintf("%d turns, was %d", n, before)
	})
}

// away waits until a thread of an adopted victim is on an application CPU.
func (v *victim) away(i int) {
	v.t.Helper()
	v.where(i, "away", false)
}

// home waits until a thread is on a CPU of Linux's own.
func (v *victim) home(i int) {
	v.t.Helper()
	v.where(i, "home", true)
}

func (v *victim) where(i int, what string, home bool) {
	v.t.Helper()
	if v.way.name == native.name {
		return
	}
	homes := homeAPICs(v.t)
	before := atomic.LoadUint64(&v.pages[i].turns)
	eventually(v.t, fmt.Sprintf("thread %d is %s", i, what), func() (bool, string) {
		apic, n := atomic.LoadUint32(&v.pages[i].apic), atomic.LoadUint64(&v.pages[i].turns)
		return n > before+1 && (homes>>apic&1 == 1) == home, fmt.Sprintf("APIC id %d, %d turns", apic, n-before)
	})
}

// order tells a thread to do something and returns what came of it.
func (v *victim) order(i int, command uint32) int {
	v.t.Helper()
	p := &v.pages[i]
	atomic.StoreUint32(&p.command, command)
	eventually(v.t, fmt.Sprintf("thread %d obeys", i), func() (bool, string) {
		return atomic.LoadUint32(&p.command) == 0, fmt.Sprintf("command %d stands", command)
	})
	return int(atomic.LoadInt32(&p.result))
}

// dies waits for its end and returns a shell's number for it.
func (v *victim) dies() int {
	v.t.Helper()
	select {
	case err := <-v.ended:
		v.ended <- err
		return status(v.cmd.ProcessState)
	case <-time.After(time.Minute):
		v.t.Errorf("it still runs")
		return -1
	}
}

// both runs a test on a victim that is native and on one that is adopted.
func both(t *testing.T, threads int, test func(t *testing.T, v *victim)) {
	for _, w := range []way{native, preload} {
		t.Run(w.name, func(t *testing.T) { test(t, startVictim(t, w, threads)) })
	}
}
