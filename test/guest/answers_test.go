package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"apkern/abi"
)

// answered returns how many calls of that name application CPUs have answered.
func answered(t *testing.T, name string) (n int64) {
	t.Helper()
	return counted(t, "answer_"+name)
}

// counted returns the sum of a counter over all application CPUs.
func counted(t *testing.T, counter string) (n int64) {
	t.Helper()
	for _, cpu := range cpuList(t, "cpus") {
		n += number(t, filepath.Join(sysfs, fmt.Sprintf("cpu%d", cpu), "counters", counter))
	}
	return n
}

// TestAnswers: calls that application CPUs answer have the results of those that
// Linux makes, whatever the arguments, and the parameter switches each off.
func TestAnswers(t *testing.T) {
	begin(t)
	const least = 300                     // of each that the program makes
	unmade := abi.AnswerNames[abi.AFutex] // see TestFutex
	for _, which := range append([]string{"all", "none"}, abi.AnswerNames[:]...) {
		setParameter(t, "answer", which)
		before := map[string]int64{}
		for _, name := range abi.AnswerNames {
			before[name] = answered(t, name)
		}
		each(t, "answers")
		for _, name := range abi.AnswerNames {
			n := answered(t, name) - before[name]
			if on := which == "all" || which == name; on && n < least/10 && name != unmade || !on && n != 0 {
				t.Errorf("answer=%s: %d calls of %s were answered", which, n, name)
			}
		}
	}
	setParameter(t, "answer", "getcpu")
	each(t, "answers shown")
	if err := os.WriteFile(filepath.Join(moduleDir, "parameters/answer"), []byte("getpid,nonsense"), 0); err == nil {
		t.Error("answer=getpid,nonsense is accepted")
	}
}

// TestYield: a thread that yields gives the CPU to the other one at once, without a
// passage home.
func TestYield(t *testing.T) {
	begin(t)
	setParameter(t, "answer", "sched_yield")
	const rounds = 2000
	cpu := strconv.Itoa(cpuList(t, "cpus")[0])
	way := way{name: "on CPU " + cpu, prefix: []string{"apkern", "run", "-c", cpu, "--"}, env: viaRun.env}
	yields, calls := counted(t, "yield"), home(t, "home_syscall")
	o := succeed(t, way, program("answers"), "yield", strconv.Itoa(rounds))
	if want := fmt.Sprintf("%d and %[1]d turns\n", rounds); o.Stdout != want {
		t.Errorf("it says %q", o.Stdout)
	}
	if n := counted(t, "yield") - yields; n < rounds {
		t.Errorf("%d yields in %d turns of each of two threads", n, rounds)
	}
	if n := home(t, "home_syscall") - calls; n > rounds/2 {
		t.Errorf("%d calls were made at home", n)
	}
}

// TestFutex: futexes have the results of those at home and lose no wake-up, whoever
// waits where.
func TestFutex(t *testing.T) {
	begin(t)
	for _, which := range []string{"all", "none"} {
		setParameter(t, "answer", which)
		before := answered(t, "futex")
		each(t, "futexes")
		if n := answered(t, "futex") - before; which == "all" && n < 100 || which == "none" && n != 0 {
			t.Errorf("answer=%s: %d calls were answered", which, n)
		}
	}
}

var identityCall = regexp.MustCompile(`get(pid|tid|cpu)\(`)

// TestAnswersTraced: strace sees every call, and the tracepoint of a call sees those
// of threads that were away when it was switched on.
func TestAnswersTraced(t *testing.T) {
	begin(t)
	setParameter(t, "answer", "all")
	t.Run("strace", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "trace")
		count := func(w way) int {
			o := run(t, w, command{argv: []string{"strace", "-f", "-e", "trace=getpid,gettid,getcpu,sched_yield", "-o", file, program("answers")}})
			if o.Status != 0 {
				t.Fatalf("status %d: %s", o.Status, o.Stderr)
			}
			return len(identityCall.FindAllString(readFile(t, file), -1))
		}
		want := count(native)
		if got := count(viaRun); got != want || want == 0 {
			t.Errorf("%d calls are seen, natively %d", got, want)
		}
	})
	t.Run("tracepoint", func(t *testing.T) {
		tracing := mounted(t, "tracefs", "")
		event := filepath.Join(tracing, "events/syscalls/sys_enter_getpid")
		if _, err := os.Stat(event); err != nil {
			t.Skip("this kernel has no such tracepoints")
		}
		v := startVictim(t, preload, 1)
		before := answered(t, "getpid")
		v.order(0, cmdGetpid)
		if answered(t, "getpid") == before {
			t.Fatal("getpid is not answered without a tracepoint")
		}
		write(t, event, "enable", "1")
		defer write(t, event, "enable", "0")
		before = answered(t, "getpid")
		v.order(0, cmdGetpid)
		if n := answered(t, "getpid") - before; n != 0 {
			t.Errorf("%d calls were answered with the tracepoint on", n)
		}
		if trace := readFile(t, filepath.Join(tracing, "trace")); !strings.Contains(trace, "sys_getpid") {
			t.Errorf("the trace does not show the call:\n%s", trace)
		}
	})
}
