package guest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"apkern/abi"
	"apkern/internal/kernellog"

	"golang.org/x/sys/unix"
)

// sourceLine is where the application kernel says that it failed.
var sourceLine = regexp.MustCompile(`\w+\.(go|s):\d+`)

// busyCPU waits for a thread of the process to be on an application CPU, and
// returns that CPU.
func busyCPU(t *testing.T, pid int) int {
	t.Helper()
	found := -1
	eventually(t, fmt.Sprintf("process %d is on a CPU", pid), func() (bool, string) {
		for _, cpu := range cpuList(t, "cpus") {
			thread := cpuAttribute(t, cpu, "thread")
			// Not the main thread: it is the one that needs the other CPUs.
			if thread != "0" && thread != fmt.Sprint(pid) && unix.Access(fmt.Sprintf("/proc/%d/task/%s", pid, thread), 0) == nil {
				found = cpu
				return true, ""
			}
		}
		return false, "it is on none"
	})
	if found < 0 {
		t.FailNow()
	}
	return found
}

// inject makes an application CPU fail.
func inject(t *testing.T, cpu int, command uint32) {
	t.Helper()
	r := injectRequest(cpu, command)
	fd, err := unix.Open(abi.Device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd) // at once: the module is to be unloaded in the same test
	if err := ioctl(fd, abi.IocInject, &r); err != nil {
		t.Fatalf("inject %d into CPU %d: %v", command, cpu, err)
	}
}

// failed waits until a CPU is out of service.
func failed(t *testing.T, cpu int) {
	t.Helper()
	eventually(t, fmt.Sprintf("CPU %d has failed", cpu), func() (bool, string) {
		s := cpuAttribute(t, cpu, "state")
		return s == "failed", s
	})
}

// survivors checks that Linux and the application CPUs that are left carry on.
func survivors(t *testing.T) {
	t.Helper()
	var left int
	for _, cpu := range cpuList(t, "cpus") {
		if cpuAttribute(t, cpu, "state") != "failed" {
			left++
		}
	}
	if left != len(cpuList(t, "cpus"))-1 {
		t.Errorf("%d CPUs are left", left)
	}
	succeed(t, preload, program("parallel"), strconv.Itoa(left), "50")
	succeed(t, preload, program("coherence"), "remap", "1", "50")
}

// TestInjectedCrash: a crash of the application kernel takes one CPU out of
// service and nothing else. The thread that was there goes on at home, the log
// says what happened and in which line, and rmmod gives everything back.
func TestInjectedCrash(t *testing.T) {
	for _, c := range []struct {
		name    string
		command uint32
	}{
		{"bounds", abi.CmdCrashBounds},
		{"pointer", abi.CmdCrashPointer},
		{"stack", abi.CmdCrashStack},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustUnload(t)
			online := readFile(t, onlineFile)
			mustLoad(t, "inject=1 stay=0")
			log := openKernelLog(t)
			s := startSpinner(t, 2)
			cpu := busyCPU(t, s.cmd.Process.Pid)
			inject(t, cpu, c.command)
			failed(t, cpu)
			s.alive()
			s.kill() // or its threads and those below might share a CPU, and be apart by luck only
			survivors(t)
			said := strings.Join(log.ours(), "\n")
			if !sourceLine.MatchString(said) {
				t.Errorf("the kernel log names no line: %q", said)
			}
			if fatal := cpuAttribute(t, cpu, "fatal"); !sourceLine.MatchString(fatal) {
				t.Errorf("cpu%d/fatal names no line: %q", cpu, fatal)
			}
			o := run(t, native, command{argv: []string{"apkern", "log"}})
			if o.Status != 0 || !sourceLine.MatchString(o.Stdout) {
				t.Errorf("apkern log names no line: status %d, %s%s", o.Status, o.Stdout, o.Stderr)
			}
			mustUnload(t)
			if err := untouched(online); err != nil {
				t.Error(err)
			}
			// Linux lost nothing, and a fresh start of the CPU heals it.
			mustLoad(t, "stay=0")
			succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "50")
			mustUnload(t)
		})
	}
}

// TestInjectedCrashRecalled: threads that are called home all the time, while their CPUs
// crash in turn, lose none of their registers, whatever home looks at in that moment: with
// two home CPUs, one may be waiting for a thread that the other has crash.
func TestInjectedCrashRecalled(t *testing.T) {
	const crashes = 60
	mustUnload(t)
	mustLoad(t, "inject=1 stay=0")
	log := openKernelLog(t)
	defer func() {
		if lines := strings.Join(log.lines(), "\n"); strings.Contains(lines, "was lost with its CPU") {
			t.Error(lines)
		}
	}()
	cpus := cpuList(t, "cpus")
	s := startSpinner(t, len(cpus))
	calls := keepOn(t, func() error { return callHome(s.cmd.Process) })
	for i := 0; i < crashes && !t.Failed(); i++ {
		cpu := cpus[i%len(cpus)]
		busyCPU(t, s.cmd.Process.Pid)
		inject(t, cpu, abi.CmdCrashBounds)
		failed(t, cpu)
		mustChange(t, "reset", strconv.Itoa(cpu))
	}
	if calls.end() == 0 {
		t.Error("nobody was called home")
	}
	s.alive()
	s.kill()
	mustUnload(t)
}

// callHome stops a process, for which all its threads must come home, and lets it go on.
func callHome(p *os.Process) error {
	if err := p.Signal(unix.SIGSTOP); err != nil {
		return err
	}
	if err := p.Signal(unix.SIGCONT); err != nil {
		return err
	}
	time.Sleep(time.Millisecond) // they are to be away again
	return nil
}

// TestInjectedHang: a CPU that answers nothing is stopped when Linux needs its
// answer, here to a flush. Its thread cannot be saved and is killed; the flush that
// waited ends; whoever is on other CPUs notices nothing.
func TestInjectedHang(t *testing.T) {
	mustUnload(t)
	mustLoad(t, "inject=1 stay=0 patience_ms=2000")
	log := openKernelLog(t)
	cpu := hangInFlush(t)
	if t.Failed() {
		return
	}
	survivors(t)
	lines := log.lines()
	said := fmt.Sprintf("CPU %d is stopped: ", cpu)
	if !strings.Contains(strings.Join(lines, "\n"), said) {
		t.Errorf("the kernel's log does not say %q: %q", said, lines)
	}
	for _, complaint := range kernellog.Find(lines) {
		t.Errorf("kernel log: %s", complaint)
	}
	mustUnload(t)
}

// hangInFlush has one of at least three CPUs hang while it is asked for flushes without end, and
// returns it, stopped. Its process is killed; on the last CPU another one computes.
func hangInFlush(t *testing.T) int {
	t.Helper()
	cpus := cpuList(t, "cpus")
	last := len(cpus) - 1
	c := startComputing(t, onCPUs(strconv.Itoa(cpus[last])), 2)
	f := startFlusher(t, onCPUs(joined(cpus[:last])))
	inject(t, f.cpu, abi.CmdHang)
	f.killed()
	if t.Failed() {
		return f.cpu
	}
	// Home could start nothing while it waited: both threads get a share of this CPU first.
	succeed(t, onCPUs(strconv.Itoa(cpus[last])), program("parallel"), "1", "200")
	if _, seen := c.finish(); seen>>cpus[last]&1 == 0 {
		t.Errorf("nothing was computed on CPU %d: APIC ids %#x", cpus[last], seen)
	}
	return f.cpu
}

// flusher is a program whose main thread asks for flushes of its other threads' CPUs
// without end, and waits for no other.
type flusher struct {
	t     *testing.T
	cmd   *exec.Cmd
	cpu   int           // where one of the others is
	ended chan struct{} // closed
}

func startFlusher(t *testing.T, w way) *flusher {
	t.Helper()
	f := &flusher{t: t, cmd: start(t, w, command{argv: []string{program("flusher"), "2"}}), ended: make(chan struct{})}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.ended)
		_ = f.cmd.Wait() // its status is looked at by the test
	}()
	t.Cleanup(func() { killGroup(f.cmd); <-f.ended })
	f.cpu = busyCPU(t, f.cmd.Process.Pid)
	return f
}

func (f *flusher) hasEnded() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

// killed waits until the CPU has failed, and the program was killed with it.
func (f *flusher) killed() {
	f.t.Helper()
	failed(f.t, f.cpu)
	eventually(f.t, "the silent CPU's process is killed", func() (bool, string) {
		return f.hasEnded(), "it is still there"
	})
	if f.t.Failed() {
		return
	}
	if s := status(f.cmd.ProcessState); s != 128+int(unix.SIGKILL) {
		f.t.Errorf("the process ended with status %d", s)
	}
}

// TestInjectedStall: a CPU that does not answer for seconds, as a virtual one
// whose host has other things to do, is waited for under a hypervisor, but no
// longer than patience_ms says.
func TestInjectedStall(t *testing.T) {
	t.Run("waited for", func(t *testing.T) {
		mustUnload(t)
		mustLoad(t, "inject=1 stay=0")
		f := startFlusher(t, preload)
		inject(t, f.cpu, abi.CmdStall)
		eventually(t, "the CPU goes on", func() (bool, string) {
			o := run(t, native, command{argv: []string{"apkern", "log"}})
			return strings.Contains(o.Stdout, "stalled"), o.Stdout
		})
		if s := cpuAttribute(t, f.cpu, "state"); s == "failed" || f.hasEnded() {
			t.Errorf("the CPU was not waited for: it is %s", s)
		}
		killGroup(f.cmd)
		<-f.ended
		mustUnload(t)
	})
	t.Run("given up", func(t *testing.T) {
		mustUnload(t)
		mustLoad(t, "inject=1 stay=0 patience_ms=500")
		f := startFlusher(t, preload)
		inject(t, f.cpu, abi.CmdStall)
		f.killed()
		survivors(t)
		mustUnload(t)
	})
}

// TestInjectRefused: nobody injects anything unless the module was told so.
func TestInjectRefused(t *testing.T) {
	begin(t)
	cpu := cpuList(t, "cpus")[0]
	fd := openDevice(t)
	r := injectRequest(cpu, abi.CmdCrashBounds)
	if err := ioctl(fd, abi.IocInject, &r); err != unix.EPERM {
		t.Errorf("inject: %v, not %v", err, unix.EPERM)
	}
	if s := cpuAttribute(t, cpu, "state"); s == "failed" {
		t.Error("the CPU has failed nevertheless")
	}
}
