package guest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStraceSequence: strace -f of an adopted program shows the calls of a
// native run, in the same order.
func TestStraceSequence(t *testing.T) {
	begin(t)
	for _, c := range [][]string{
		{"ls", "/"},
		{program("debugme")},
		{"sh", "-c", "ls /etc | wc -l"},
	} {
		t.Run(filepath.Base(c[0]), func(t *testing.T) {
			want := straceCalls(t, native, c)
			if len(want) == 0 {
				t.Fatal("strace shows no calls natively")
			}
			away := home(t, "away")
			got := straceCalls(t, viaRun, c)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the calls differ (-native +adopted):\n%s", diff)
			}
			if home(t, "away") == away {
				t.Error("nothing went away")
			}
		})
	}
}

var (
	tracePid  = regexp.MustCompile(`^(\d+) +`)
	traceCall = regexp.MustCompile(`^(?:\+\+\+ exited with \d+|--- SIG\w+|\w+)`)
)

// straceCalls runs a command under strace and returns, for each of its processes
// in the order of their appearance, the names of its calls and its signals. Calls
// that the scheduling of several processes multiplies or cuts in two are joined.
func straceCalls(t *testing.T, w way, argv []string) [][]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	o := run(t, w, command{argv: append([]string{"strace", "-f", "-o", file}, argv...)})
	if o.Status != 0 && o.Status != 3 { // debugme ends with 3
		t.Fatalf("strace %v (%s): status %d: %s", argv, w.name, o.Status, o.Stderr)
	}
	var processes [][]string
	index := map[string]int{}
	for _, line := range strings.Split(readFile(t, file), "\n") {
		pid := tracePid.FindString(line)
		call := traceCall.FindString(line[len(pid):])
		if call == "" || strings.HasPrefix(line[len(pid):], "<...") || call == "wait4" {
			continue // the second half of a call, or one restarted by a child's end
		}
		if call == "--- SIGCHLD" || call == "rt_sigreturn" {
			continue // when a child ends is a matter of time
		}
		if _, ok := index[pid]; !ok {
			index[pid] = len(processes)
			processes = append(processes, nil)
		}
		processes[index[pid]] = append(processes[index[pid]], call)
	}
	return processes
}

// TestStraceAway: a traced program passes its own checks, those of its threads
// that prove to be away included, and strace's summary comes out.
func TestStraceAway(t *testing.T) {
	begin(t)
	for _, p := range []string{"registers", "eintr", "forks"} {
		t.Run(p, func(t *testing.T) {
			argv := []string{"strace", "-f", "-o", "/dev/null", program(p)}
			want := run(t, native, command{argv: argv})
			got := succeed(t, viaRun, argv...)
			if diff := cmp.Diff(want.Stdout, got.Stdout); diff != "" {
				t.Errorf("differs from native (-native +away):\n%s", diff)
			}
		})
	}
	o := succeed(t, viaRun, "sh", "-c", "strace -f -c -o /dev/stdout ls / >/dev/null; strace -f -c -o /dev/stdout true")
	if !strings.Contains(o.Stdout, "execve") {
		t.Errorf("no summary:\n%s", o.Stdout)
	}
}

const gdbSession = `
set confirm off
set debuginfod enabled off
set width 0
break factorial
run
backtrace
print n
info registers rip rdi rsp eflags
continue
backtrace
delete
watch result
continue
continue
stepi
stepi
x/i $pc
delete
next
print result
tbreak factorial
jump factorial
info registers xmm0
kill
`

// volatileOutput are the parts of gdb's output that differ between any two runs.
var volatileOutput = regexp.MustCompile(`process \d+|LWP \d+|0x7fff[0-9a-f]+|Thread 0x[0-9a-f]+`)

// TestGDBSession: breakpoints, backtraces, watchpoints and steps show in an
// adopted program what they show natively.
func TestGDBSession(t *testing.T) {
	begin(t)
	script := filepath.Join(t.TempDir(), "session")
	if err := os.WriteFile(script, []byte(gdbSession), 0o644); err != nil {
		t.Fatal(err)
	}
	c := command{argv: []string{"gdb", "-nx", "-batch", "-x", script, program("debugme")}}
	want, away := run(t, native, c), home(t, "away")
	got := run(t, viaRun, c)
	for _, o := range []*outcome{&want, &got} {
		o.Stdout = volatileOutput.ReplaceAllString(o.Stdout, "#")
		o.Stderr = volatileOutput.ReplaceAllString(o.Stderr, "#")
	}
	if n := strings.Count(want.Stdout, "Breakpoint 1, factorial"); n != 2 {
		t.Fatalf("gdb stops %d times natively:\n%s%s", n, want.Stdout, want.Stderr)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the session differs (-native +adopted):\n%s", diff)
	}
	if home(t, "away") == away {
		t.Error("nothing went away")
	}
}

// spinner is a running instance of the program of that name.
type spinner struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

// startSpinner starts it adopted and returns when all its threads have been away.
// It is killed when the test ends.
func startSpinner(t *testing.T, threads int) *spinner {
	t.Helper()
	cmd := start(t, preload, command{argv: []string{program("spinner"), strconv.Itoa(threads)}})
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &spinner{t, cmd, make(chan string, 16)}
	go func() {
		defer close(s.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.lines <- lines.Text()
		}
	}()
	t.Cleanup(s.kill)
	s.ready()
	return s
}

// ready waits for the line that says that it runs.
func (s *spinner) ready() {
	s.t.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok || line != "ready" {
			s.t.Fatalf("spinner: said %q, still there: %v", line, ok)
		}
	case <-time.After(time.Minute):
		s.t.Fatal("spinner: no answer")
	}
}

// alive checks that it still answers a signal.
func (s *spinner) alive() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		s.t.Fatalf("spinner: %v", err)
	}
	s.ready()
}

func (s *spinner) kill() {
	killGroup(s.cmd)
	_ = s.cmd.Wait() // its status is the signal's
}

// TestGDBAttach: gdb attaches to threads that spin away, sees where they are,
// stops one at a breakpoint, and detaches; they go on as before.
func TestGDBAttach(t *testing.T) {
	begin(t)
	for _, threads := range []int{1, 3} {
		t.Run(strconv.Itoa(threads), func(t *testing.T) {
			s := startSpinner(t, threads)
			for range 2 {
				o := run(t, native, command{argv: []string{
					"gdb", "-nx", "-batch", "-p", strconv.Itoa(s.cmd.Process.Pid),
					"-ex", "set debuginfod enabled off",
					"-ex", "thread apply all backtrace", "-ex", "break turn", "-ex", "continue",
					"-ex", "print $_exitcode", "-ex", "delete", "-ex", "stepi", "-ex", "detach",
				}})
				if n := strings.Count(o.Stdout, "spin ("); n < threads {
					t.Errorf("%d of %d threads are seen spinning:\n%s%s", n, threads, o.Stdout, o.Stderr)
				}
				if !strings.Contains(o.Stdout, "Breakpoint 1") || !strings.Contains(o.Stdout, "detached") {
					t.Errorf("no breakpoint, or no detaching:\n%s%s", o.Stdout, o.Stderr)
				}
				s.alive()
			}
		})
	}
}

// TestStraceAttach: strace attaches to a thread that spins away, sees a signal
// arrive, and leaves it spinning.
func TestStraceAttach(t *testing.T) {
	begin(t)
	s := startSpinner(t, 1)
	file := filepath.Join(t.TempDir(), "trace")
	strace := start(t, native, command{argv: []string{"strace", "-o", file, "-p", strconv.Itoa(s.cmd.Process.Pid)}})
	if err := strace.Start(); err != nil {
		t.Fatal(err)
	}
	status := "/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status"
	eventually(t, "strace attaches", func() (bool, string) {
		return !strings.Contains(readFile(t, status), "TracerPid:\t0\n"), "no tracer"
	})
	s.alive()
	for _, want := range []string{"--- SIGUSR1", `write(1, "ready\n", 6)`, "rt_sigreturn"} {
		eventually(t, "the trace shows "+want, func() (bool, string) {
			trace := readFile(t, file)
			return strings.Contains(trace, want), trace
		})
	}
	if err := strace.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = strace.Wait() // its status is SIGINT's
	s.alive()
}
