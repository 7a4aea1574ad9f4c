package guest

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests here do to threads that spin away what others can do to a thread,
// and see it take effect although the thread makes no call. Time away is nothing
// that Linux looks at, so home looks four times a second.

// TestLimitSetByOthers: a limit on CPU time that another process sets.
func TestLimitSetByOthers(t *testing.T) {
	begin(t)
	both(t, 2, func(t *testing.T, v *victim) {
		limit := unix.Rlimit{Cur: 1, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(v.pid(), unix.RLIMIT_CPU, &limit, nil); err != nil {
			t.Fatal(err)
		}
		if s := v.dies(); s != 128+int(unix.SIGXCPU) {
			t.Errorf("soft limit: status %d", s)
		}
	})
	both(t, 2, func(t *testing.T, v *victim) {
		if r := v.order(0, cmdIgnoreXCPU); r != 0 {
			t.Fatalf("signal: %d", r)
		}
		limit := unix.Rlimit{Cur: 1, Max: 2}
		if err := unix.Prlimit(v.pid(), unix.RLIMIT_CPU, &limit, nil); err != nil {
			t.Fatal(err)
		}
		if s := v.dies(); s != 128+int(unix.SIGKILL) {
			t.Errorf("hard limit: status %d", s)
		}
	})
}

// TestTimerSetBySibling: a profiling timer that one thread arms counts the time
// of all.
func TestTimerSetBySibling(t *testing.T) {
	begin(t)
	both(t, 2, func(t *testing.T, v *victim) {
		if r := v.order(0, cmdProf); r != 0 {
			t.Fatalf("setitimer: %d", r)
		}
		eventually(t, "both get SIGPROF", func() (bool, string) {
			a, b := atomic.LoadUint32(&v.pages[0].signals), atomic.LoadUint32(&v.pages[1].signals)
			return a > 2 && b > 2, strconv.Itoa(int(a)) + " and " + strconv.Itoa(int(b))
		})
		v.home(1)
	})
}

// TestFaultsAreNoShelter: a thread that comes home for page faults all the time
// is looked at like one that spins.
func TestFaultsAreNoShelter(t *testing.T) {
	begin(t)
	v := startVictim(t, preload, 2)
	v.order(1, cmdFaults)
	v.away(1)
	before := atomic.LoadUint64(&v.pages[1].turns)
	limit := unix.Rlimit{Cur: 10000, Max: 10000}
	if err := unix.Prlimit(v.pid(), unix.RLIMIT_CPU, &limit, nil); err != nil {
		t.Fatal(err)
	}
	v.home(1)
	// A turn is a fault and then three milliseconds at the least: however slow
	// the machine is, a quarter of a second is over after 84. Chance brings a
	// thread home later, too.
	const patience = 200
	if n := int64(atomic.LoadUint32(&v.pages[1].homed)) - int64(before); n > patience {
		t.Errorf("only after %d turns", n)
	}
}

// TestFilterSetBySibling: a system call filter that one thread installs for all.
func TestFilterSetBySibling(t *testing.T) {
	begin(t)
	both(t, 3, func(t *testing.T, v *victim) {
		if r := v.order(2, cmdGetppid); r != os.Getpid() {
			t.Errorf("getppid without a filter: %d", r)
		}
		v.away(2)
		if r := v.order(2, cmdGetpid); r != v.pid() {
			t.Errorf("getpid without a filter: %d", r)
		}
		v.away(2)
		if r := v.order(0, cmdFilter); r != 0 {
			t.Fatalf("seccomp: %d", r)
		}
		for i := range v.pages {
			// getpid is answered on the spot where nobody watches.
			for _, call := range []uint32{cmdGetpid, cmdGetppid} {
				if r := v.order(len(v.pages)-1-i, call); r != -int(unix.EPERM) {
					t.Errorf("thread %d: call %d with a filter: %d", i, call, r)
				}
			}
			v.away(i)
		}
	})
}

// cpuTime returns a process's CPU time, as anybody can read it (clock_getcpuclockid).
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	const sched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// TestPerfEvent: a counter opened on a thread counts all that it does from then
// on; the thread leaves again when the counter is closed.
func TestPerfEvent(t *testing.T) {
	begin(t)
	both(t, 1, func(t *testing.T, v *victim) {
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK}
		attr.Size = uint32(unsafe.Sizeof(attr))
		fd, err := unix.PerfEventOpen(&attr, v.tid(0), -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		read := func() time.Duration {
			var b [8]byte
			if n, err := unix.Read(fd, b[:]); n != len(b) || err != nil {
				t.Fatalf("read %d bytes: %v", n, err)
			}
			return time.Duration(binary.NativeEndian.Uint64(b[:]))
		}
		v.home(0)
		counted, used := read(), cpuTime(t, v.pid())
		eventually(t, "half a second is used", func() (bool, string) {
			d := cpuTime(t, v.pid()) - used
			return d > 500*time.Millisecond, d.String()
		})
		used, counted = cpuTime(t, v.pid())-used, read()-counted
		if counted < used*9/10 || counted > used*11/10 {
			t.Errorf("counted %v of %v", counted, used)
		}
		unix.Close(fd)
		v.away(0)
	})
}

// TestPolicySetByOthers: scheduling policies that another process sets. Under a
// deadline a thread stays home.
func TestPolicySetByOthers(t *testing.T) {
	begin(t)
	both(t, 1, func(t *testing.T, v *victim) {
		deadline := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE,
			Runtime: 10e6, Deadline: 100e6, Period: 100e6}
		set := func(a *unix.SchedAttr) {
			t.Helper()
			if err := unix.SchedSetAttr(v.tid(0), a, 0); err != nil {
				t.Fatal(err)
			}
			got, err := unix.SchedGetAttr(v.tid(0), 0)
			if err != nil || got.Policy != a.Policy {
				t.Errorf("policy %+v, %v, not %d", got, err, a.Policy)
			}
		}
		set(&deadline)
		v.home(0)
		v.turning(0)
		set(&unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL})
		v.away(0)
		if v.way.name == preload.name { // natively it would take the only CPU
			set(&unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1})
			v.turning(0)
			set(&unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL})
			v.away(0)
		}
	})
}

// TestMovedToQuota: a thread that is put into a group with a quota comes home
// and is throttled there; taken out of it, it leaves again.
func TestMovedToQuota(t *testing.T) {
	begin(t)
	group := controlGroup(t, "cpu")
	write(t, group, "cpu.max", "10000 100000")
	both(t, 1, func(t *testing.T, v *victim) {
		write(t, group, "cgroup.procs", strconv.Itoa(v.pid()))
		v.home(0)
		before := statistic(t, group, "nr_throttled")
		eventually(t, "it is throttled", func() (bool, string) {
			return statistic(t, group, "nr_throttled") > before+2, "it is not"
		})
		v.turning(0)
		write(t, filepath.Dir(group), "cgroup.procs", strconv.Itoa(v.pid()))
		v.away(0)
	})
}

// statistic returns a number of a control group's cpu.stat.
func statistic(t *testing.T, group, name string) int64 {
	t.Helper()
	for _, line := range strings.Split(readFile(t, filepath.Join(group, "cpu.stat")), "\n") {
		if n, ok := strings.CutPrefix(line, name+" "); ok {
			count, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return count
		}
	}
	t.Fatalf("no %s in cpu.stat", name)
	return 0
}

// TestGroupUsage: a control group without a controller counts the time that its
// threads spend away.
func TestGroupUsage(t *testing.T) {
	begin(t)
	group := controlGroup(t, "")
	both(t, 1, func(t *testing.T, v *victim) {
		write(t, group, "cgroup.procs", strconv.Itoa(v.pid()))
		v.away(0)
		usage, user := statistic(t, group, "usage_usec"), statistic(t, group, "user_usec")
		used := cpuTime(t, v.pid())
		eventually(t, "two seconds are used", func() (bool, string) {
			d := cpuTime(t, v.pid()) - used
			return d > 2*time.Second, d.String()
		})
		used = cpuTime(t, v.pid()) - used
		usage, user = statistic(t, group, "usage_usec")-usage, statistic(t, group, "user_usec")-user
		if least := used.Microseconds() * 3 / 4; usage < least || user < least {
			t.Errorf("%d and %d microseconds of %v", usage, user, used)
		}
	})
}

// stands fails the test unless a thread makes no turn while another makes many.
func stands(t *testing.T, v, other *victim) {
	t.Helper()
	before := atomic.LoadUint64(&v.pages[0].turns)
	for range 5 {
		other.turning(0)
	}
	if n := atomic.LoadUint64(&v.pages[0].turns); n != before {
		t.Errorf("it made %d turns", n-before)
	}
}

// TestFreezers: the freezers of both versions stop threads that are away, and
// let them go on.
func TestFreezers(t *testing.T) {
	begin(t)
	t.Run("version 2", func(t *testing.T) {
		group := controlGroup(t, "")
		both(t, 1, func(t *testing.T, v *victim) {
			other := startVictim(t, v.way, 1)
			write(t, group, "cgroup.procs", strconv.Itoa(v.pid()))
			write(t, group, "cgroup.freeze", "1")
			eventually(t, "frozen", func() (bool, string) {
				events := readFile(t, filepath.Join(group, "cgroup.events"))
				return strings.Contains(events, "frozen 1"), events
			})
			stands(t, v, other)
			write(t, group, "cgroup.freeze", "0")
			v.turning(0)
			v.away(0)
		})
	})
	t.Run("version 1", func(t *testing.T) {
		group := filepath.Join(mounted(t, "cgroup", "freezer"), "test")
		if err := os.Mkdir(group, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeGroup(t, group) })
		both(t, 1, func(t *testing.T, v *victim) {
			other := startVictim(t, v.way, 1)
			write(t, group, "cgroup.procs", strconv.Itoa(v.pid()))
			write(t, group, "freezer.state", "FROZEN")
			eventually(t, "frozen", func() (bool, string) {
				state := readFile(t, filepath.Join(group, "freezer.state"))
				return state == "FROZEN", state
			})
			stands(t, v, other)
			write(t, group, "freezer.state", "THAWED")
			v.turning(0)
			v.away(0)
		})
	})
}

// TestMemoryLimit: a process whose pages exceed its group's limit is killed,
// though it faults them in away.
func TestMemoryLimit(t *testing.T) {
	begin(t)
	group := controlGroup(t, "memory")
	write(t, group, "memory.max", strconv.Itoa(2<<20))
	both(t, 2, func(t *testing.T, v *victim) {
		write(t, group, "cgroup.procs", strconv.Itoa(v.pid()))
		v.order(1, cmdFaults)
		if s := v.dies(); s != 128+int(syscall.SIGKILL) {
			t.Errorf("status %d", s)
		}
		if events := readFile(t, filepath.Join(group, "memory.events")); strings.Contains(events, "oom_kill 0") {
			t.Errorf("not by the limit: %s", events)
		}
	})
}

// TestPerfStat: perf attached to a process counts what it does from then on.
func TestPerfStat(t *testing.T) {
	begin(t)
	perf, err := exec.LookPath("perf")
	if err != nil {
		t.Fatal(err)
	}
	both(t, 1, func(t *testing.T, v *victim) {
		o := run(t, native, command{argv: []string{perf, "stat", "-x,", "-e", "task-clock", "-p", strconv.Itoa(v.pid()), "sleep", "2"}})
		ms, err := strconv.ParseFloat(strings.SplitN(strings.TrimSpace(o.Stderr), ",", 2)[0], 64)
		if o.Status != 0 || err != nil || ms < 1000 {
			t.Errorf("status %d, %v ms, %v: %s%s", o.Status, ms, err, o.Stdout, o.Stderr)
		}
		v.away(0)
	})
}
