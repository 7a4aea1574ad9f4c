// Command guest is process 1 of the evaluation's machines.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"apkern/internal/bench"
	"apkern/internal/bench/runner"
	"apkern/internal/client"
	"apkern/internal/vm/guest"
	"apkern/test/evaluation/job"
)

// main is process 1 of a machine. It does its job, writes a record of each
// run to the console, and switches the machine off.
func main() {
	if err := doJob(); err != nil {
		emit(bench.Record{Error: err.Error()})
	}
	fmt.Println(job.EndLine)
	drain()
	guest.PowerOff()
}

// emit writes a record, and a line's end before it: Linux may have written half a line.
func emit(r bench.Record) {
	line, err := json.Marshal(r)
	if err != nil {
		panic(err) // there is nothing in a record that cannot be written
	}
	fmt.Printf("\n%s%s\n", job.RecordPrefix, line)
	drain()
}

// drain waits until all has left by the serial port: what is measured next is not to
// be disturbed by it, and Linux does not wait before it switches the machine off.
func drain() {
	_ = unix.IoctlSetInt(int(os.Stdout.Fd()), unix.TCSBRK, 1) // tcdrain(3); else something may be missing, which shows
}

func doJob() error {
	if err := guest.Boot(); err != nil {
		return err
	}
	j, err := job.Read(job.File)
	if err != nil {
		return err
	}
	if j.System == job.Apkern {
		if err := guest.InsertModule(j.Params); err != nil {
			return err
		}
	}
	w, err := newWorker(j)
	if err != nil {
		return err
	}
	emit(bench.Record{Environment: &w.environment})
	for i := range j.Plan.Benchmarks {
		b := &j.Plan.Benchmarks[i]
		r := bench.Run{Benchmark: b.Name, Side: w.side}
		if err := w.run(b, &r); err != nil {
			r.Error = err.Error()
		}
		emit(bench.Record{Run: &r})
	}
	return nil
}

// outputs is where commands write. Tests replace it.
var outputs = job.Outputs

// worker runs benchmarks on the machine that this is.
type worker struct {
	side        bench.Side
	environment bench.Environment
	home        uint64 // APIC ids of Linux's own CPUs, as a mask
}

func newWorker(j *job.Job) (*worker, error) {
	w := &worker{side: bench.Native, home: ^uint64(0)}
	e := &w.environment
	e.Hypervisor = "Bochs"
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, err
	}
	e.Kernel, e.Version = unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Version[:])
	if j.System != job.Apkern {
		online, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*")
		if err != nil {
			return nil, err
		}
		for i := range online {
			e.Home = append(e.Home, i)
		}
		return w, w.enough(j.CPUs)
	}
	w.side = bench.Adopted
	st, err := client.SysfsAt(client.SysfsDir).Status()
	if err != nil {
		return nil, err
	}
	e.Home = st.Home
	for _, c := range st.CPUs {
		e.Application = append(e.Application, c.Number)
		e.APICs = append(e.APICs, c.APICID)
		w.home &^= 1 << c.APICID
	}
	build, err := os.ReadFile(filepath.Join(client.SysfsDir, "build_id"))
	e.Build = strings.TrimSpace(string(build))
	return w, errors.Join(err, w.enough(j.CPUs))
}

// enough fails when the machine has not that many CPUs.
func (w *worker) enough(cpus int) error {
	if n := len(w.environment.Home) + len(w.environment.Application); n != cpus {
		return fmt.Errorf("%d CPUs are in use, there should be %d", n, cpus)
	}
	return nil
}

// run makes one run.
func (w *worker) run(b *bench.Benchmark, r *bench.Run) error {
	if err := w.setParameters(b); err != nil {
		return err
	}
	before, threads, err := w.counted()
	if err != nil {
		return err
	}
	text, err := w.together(b)
	if err != nil {
		return err
	}
	visits, adopted, err := w.counted()
	if err != nil {
		return err
	}
	r.Visits, r.Threads = visits-before, adopted-threads
	if err := runner.Parse(text, r); err != nil {
		return err
	}
	if err := collect(b, r); err != nil {
		return err
	}
	if len(r.Seen) > 0 {
		return runner.Where(b, r, w.environment.APICs)
	}
	if w.side == bench.Adopted && r.Threads == 0 {
		return errors.New("no thread of the adopted run was adopted")
	}
	return nil
}

// together runs the benchmark's commands, and returns what the program says that starts them.
func (w *worker) together(b *bench.Benchmark) (string, error) {
	if err := os.MkdirAll(outputs, 0o755); err != nil {
		return "", err
	}
	c := exec.Command(job.ProgramsDir+"/together", append([]string{outputs}, b.Argv...)...)
	c.Dir = job.ScratchDir
	c.Env = []string{"PATH=" + job.ProgramsDir, "LANG=C", fmt.Sprintf("HOME_APICS=%#x", w.home)}
	if w.side == bench.Adopted {
		c.Env = append(c.Env, "CHILD_PRELOAD="+guest.LibraryPath)
	} else {
		c.Env = append(c.Env, "WHERE=any")
	}
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	return string(out), nil
}

// collect adds what the commands wrote: our programs' lines, and a word for the
// contents of others' output. Of several programs' values none is kept.
func collect(b *bench.Benchmark, r *bench.Run) error {
	list := job.Commands(b)
	var results []string
	for i, command := range list {
		data, err := os.ReadFile(outputs + strconv.Itoa(i))
		if err != nil {
			return err
		}
		if !slices.Contains(job.Ours, command[0]) {
			sum := sha256.Sum256(data)
			results = append(results, fmt.Sprintf("%x", sum[:8]))
			continue
		}
		var one bench.Run
		if err := runner.Parse(string(data), &one); err != nil {
			return fmt.Errorf("%s: %w", command[0], err)
		}
		add(r, &one, len(list) == 1)
		results = append(results, one.Result)
	}
	r.Result = strings.Join(results, " ")
	return nil
}

func add(r, one *bench.Run, values bool) {
	if r.Seen == nil {
		r.Seen = map[uint64]int64{}
	}
	for id, passes := range one.Seen {
		r.Seen[id] += passes
	}
	if values {
		r.Ops = one.Ops
		for unit, v := range one.Values {
			r.Values[unit] = v
		}
	}
}

// counted is how many visits there were, and how many threads were adopted, since the
// module was inserted.
func (w *worker) counted() (visits, threads int64, err error) {
	if w.side == bench.Native {
		return 0, 0, nil
	}
	if visits, err = counter("away"); err != nil {
		return 0, 0, err
	}
	threads, err = counter("adopted")
	return visits, threads, err
}

func counter(name string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(client.SysfsDir, "home", name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// setParameters sets what the module does by itself: whether it keeps threads at
// home, and which calls application CPUs answer.
func (w *worker) setParameters(b *bench.Benchmark) error {
	if w.side == bench.Native {
		return nil
	}
	stay, answer := "0", "all"
	if b.Policy {
		stay = "1"
	}
	if strings.HasSuffix(b.Name, job.AnswerNone) {
		answer = "none"
	}
	const dir = "/sys/module/apkern/parameters/"
	return errors.Join(os.WriteFile(dir+"stay", []byte(stay), 0), os.WriteFile(dir+"answer", []byte(answer), 0))
}
