package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Loads: programs that run again and again, or without end, while something is done
// to the CPUs under them. What they come to natively is known.

// unbound is adopted, but its test programs need not be away at any moment: CPUs may be gone.
var unbound = way{name: "adopted", env: []string{"WHERE=any", "LD_PRELOAD=/lib/libstartup.so.1"}}

// onCPUs is a way to application CPUs of a list and no others.
func onCPUs(list string) way {
	return way{name: "apkern run -c", prefix: []string{"apkern", "run", "-c", list, "--"}, env: []string{"WHERE=out"}}
}

// ahead gives the test's own thread, until the function that it returns is called,
// precedence over the load: a changing CPU is to meet programs at work, not to wait
// behind them. Programs that the test starts meanwhile inherit it.
func ahead(t *testing.T) func() {
	t.Helper()
	runtime.LockOSThread()
	set := func(nice int) {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
			t.Error(err)
		}
	}
	set(-20)
	return func() {
		set(0)
		runtime.UnlockOSThread()
	}
}

// repeated does something again and again until it is ended, and says how often.
type repeated struct {
	stop  chan struct{}
	once  sync.Once
	ended sync.WaitGroup
	runs  atomic.Int64
}

// keepOn begins to. The first error fails the test and is the end.
func keepOn(t *testing.T, do func() error) *repeated {
	t.Helper()
	r := &repeated{stop: make(chan struct{})}
	r.ended.Go(func() {
		for {
			select {
			case <-r.stop:
				return
			default:
			}
			if err := do(); err != nil {
				t.Error(err)
				return
			}
			r.runs.Add(1)
		}
	})
	t.Cleanup(func() { r.end() }) // also when the test fails before it
	return r
}

// end lets the last run come to its end.
func (r *repeated) end() int64 {
	r.once.Do(func() { close(r.stop) })
	r.ended.Wait()
	return r.runs.Load()
}

// repeat runs a command. Each time it must come to the same as natively.
func repeat(t *testing.T, argv ...string) *repeated {
	t.Helper()
	once := likeNative(t, preload, argv...)
	return keepOn(t, once)
}

// likeNative runs a command natively, and returns what runs it again in a way, to
// the same end.
func likeNative(t *testing.T, w way, argv ...string) func() error {
	t.Helper()
	want := run(t, native, command{argv: argv})
	return func() error {
		if got, err := ran(t, w, argv...); err != nil || got != want {
			return fmt.Errorf("%v: %v %+v; natively %+v", argv, err, got, want)
		}
		return nil
	}
}

// loadLimit ends a load that hangs: many times what one takes where other virtual
// machines have most of the host.
const loadLimit = 15 * time.Minute

// ran is run for a goroutine that is not the test's. What hangs is looked at before
// it is killed.
func ran(t *testing.T, w way, argv ...string) (outcome, error) {
	var out, errs bytes.Buffer
	cmd := start(t, w, command{argv: argv})
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return outcome{}, err
	}
	limit := patient(loadLimit)
	looks := make(chan string, 1)
	hangs := time.AfterFunc(limit, func() {
		looks <- everything()
		killGroup(cmd)
	})
	_ = cmd.Wait() // its status is looked at
	o := outcome{out.String(), errs.String(), status(cmd.ProcessState)}
	if !hangs.Stop() {
		return o, fmt.Errorf("still running after %v, killed\n%s", limit, <-looks)
	}
	return o, nil
}

// everything is what all threads and all application CPUs do.
func everything() string {
	var text strings.Builder
	for _, argv := range [][]string{{"ps", "-eLo", "pid,tid,stat,time,wchan:24,args"}, {"apkern", "status"}, {"apkern", "stat"}} {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		fmt.Fprintf(&text, "%v: %v\n%s", argv, err, out)
	}
	return text.String()
}

// inTurn runs test programs, one after the other, that check themselves. Those
// that say what depends on where they run say it on both streams.
func inTurn(t *testing.T, commands ...string) *repeated {
	t.Helper()
	next := 0
	return keepOn(t, func() error {
		argv := strings.Fields(commands[next%len(commands)])
		argv[0] = program(argv[0])
		next++
		return succeeds(t, unbound, argv...)
	})
}

// succeeds is succeed for a goroutine that is not the test's.
func succeeds(t *testing.T, w way, argv ...string) error {
	if o, err := ran(t, w, argv...); err != nil || o.Status != 0 {
		return fmt.Errorf("%v: %v %+v", argv, err, o)
	}
	return nil
}

// computing is the program elastic while it runs.
type computing struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    bytes.Buffer
	errors bytes.Buffer
}

func startComputing(t *testing.T, w way, threads int) *computing {
	t.Helper()
	c := &computing{t: t, cmd: start(t, w, command{argv: []string{program("elastic"), strconv.Itoa(threads)}})}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.errors
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killGroup(c.cmd) })
	return c
}

var roundsAndCPUs = regexp.MustCompile(`(\d+) rounds, APIC ids (0x[0-9a-f]+)`)

// finish ends the program, which must have found all results right. It returns
// how many there were and the mask of the APIC ids that its threads saw.
func (c *computing) finish() (rounds int64, seen uint64) {
	c.t.Helper()
	if err := c.stdin.Close(); err != nil {
		c.t.Error(err)
	}
	_ = c.cmd.Wait() // its status is looked at
	m := roundsAndCPUs.FindStringSubmatch(c.out.String())
	if s := status(c.cmd.ProcessState); s != 0 || m == nil {
		c.t.Fatalf("elastic: status %d, output %q, errors %q", s, c.out.String(), c.errors.String())
	}
	rounds, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	if seen, err = strconv.ParseUint(m[2], 0, 64); err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("elastic: %s", m[0])
	return rounds, seen
}

// sources is how many files compiling compiles at the same time.
const sources = 4

// compiling has make compile, link and run a program, in a directory for the length of
// the test. Objects, program and output are those of a native run.
func compiling(t *testing.T) func() error {
	t.Helper()
	dir := t.TempDir()
	var calls, objects, declarations strings.Builder
	files := map[string]string{}
	for i := range sources {
		fmt.Fprintf(&declarations, "unsigned long f%d(unsigned long x);\n", i)
		fmt.Fprintf(&calls, "x = f%d(x); ", i)
		fmt.Fprintf(&objects, " %d.o", i)
		files[fmt.Sprintf("%d.c", i)] = fmt.Sprintf("unsigned long f%[1]d(unsigned long x)\n{\n\tfor (int i = 0; i < %[2]d; i++)\n"+
			"\t\tx = x * 0x9e3779b97f4a7c15 + (x >> %[1]d) + i;\n\treturn x;\n}\n", i, 1000+i)
	}
	files["main.c"] = "#include <stdio.h>\n" + declarations.String() + "int main(void)\n{\n\tunsigned long x = 1;\n\n\t" +
		calls.String() + "\n\tprintf(\"%lx\\n\", x);\n\treturn 0;\n}\n"
	files["Makefile"] = "program: main.o" + objects.String() + "\n\tgcc -o $@ $^\n\t./$@\n\tsha256sum $^ $@\n%.o: %.c\n\tgcc -O2 -c -o $@ $<\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return likeNative(t, preload, "make", "--no-print-directory", "-s", "-B", "-C", dir, fmt.Sprint("-j", sources))
}

// redis is a server while clients have it count.
type redis struct {
	t      *testing.T
	socket string
	server *exec.Cmd
	load   *repeated
}

// increments is how many requests one run of the clients makes.
const increments = 300

// startRedis starts the server and its clients, all adopted.
func startRedis(t *testing.T) *redis {
	t.Helper()
	dir := t.TempDir()
	r := &redis{t: t, socket: filepath.Join(dir, "socket")}
	r.server = start(t, preload, command{dir: dir, argv: []string{"redis-server", "--port", "0", "--unixsocket", r.socket,
		"--save", "", "--appendonly", "no", "--logfile", filepath.Join(dir, "log")}})
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killGroup(r.server) })
	eventually(t, "redis-server answers", func() (bool, string) {
		said, err := r.ask("ping")
		return said == "PONG", fmt.Sprint(said, err)
	})
	r.load = keepOn(t, func() error {
		o, err := ran(t, preload, "redis-benchmark", "-s", r.socket, "-q", "-c", "8", "-n", strconv.Itoa(increments), "incr", "counter")
		if err != nil || o.Status != 0 || strings.Contains(o.Stdout, "rror") {
			return fmt.Errorf("redis-benchmark: %v %+v", err, o)
		}
		return nil
	})
	return r
}

// ask makes a request of the server.
func (r *redis) ask(request ...string) (string, error) {
	out, err := exec.Command("redis-cli", append([]string{"-s", r.socket}, request...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// end ends both. The server must have counted each request once.
func (r *redis) end() int64 {
	r.t.Helper()
	runs := r.load.end()
	if got, err := r.ask("get", "counter"); err != nil || got != strconv.FormatInt(runs*increments, 10) {
		r.t.Errorf("the server counted %q requests, %d were made (%v)", got, runs*increments, err)
	}
	if said, err := r.ask("shutdown", "nosave"); err != nil {
		r.t.Errorf("shutdown: %v: %s", err, said)
	}
	_ = r.server.Wait() // its status is looked at
	if s := status(r.server.ProcessState); s != 0 {
		r.t.Errorf("redis-server: status %d", s)
	}
	return runs
}
