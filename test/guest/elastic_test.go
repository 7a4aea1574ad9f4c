package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"apkern/abi"

	"golang.org/x/sys/unix"
)

// change writes a list of CPUs to one of the files add, remove and reset.
func change(what, list string) error {
	f, err := os.OpenFile(filepath.Join(sysfs, what), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(list + "\n")
	return errors.Join(err, f.Close())
}

// mustChange makes a change or ends the test.
func mustChange(t *testing.T, what, list string) {
	t.Helper()
	log := openKernelLog(t)
	if err := change(what, list); err != nil {
		t.Fatalf("%s %s: %v\n%s", what, list, err, strings.Join(log.lines(), "\n"))
	}
}

// cpusAre checks which CPUs are application CPUs, and that their directories are
// there and no others.
func cpusAre(t *testing.T, want string) {
	t.Helper()
	if got := readFile(t, sysfs+"/cpus"); got != want {
		t.Errorf("application CPUs: %q, not %q", got, want)
	}
	cpus, err := parseList(want)
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(sysfs + "/cpu[0-9]*")
	if err != nil || len(dirs) != len(cpus) {
		t.Errorf("directories %v for the CPUs %s (%v)", dirs, want, err)
	}
}

// atEnd puts back what a test found: these application CPUs and no others. None may
// have failed meanwhile, not even one that was given back since.
func atEnd(t *testing.T) {
	t.Helper()
	before := cpuList(t, "cpus")
	online := readFile(t, onlineFile)
	log := openKernelLog(t)
	t.Cleanup(func() {
		for _, line := range log.ours() {
			if strings.Contains(line, "is stopped") || strings.Contains(line, "was lost") {
				t.Errorf("kernel log: %s", line)
			}
		}
		for _, cpu := range cpuList(t, "possible") {
			is, was := slices.Contains(cpuList(t, "cpus"), cpu), slices.Contains(before, cpu)
			switch {
			case was && !is:
				mustChange(t, "add", strconv.Itoa(cpu))
			case is && !was:
				mustChange(t, "remove", strconv.Itoa(cpu))
			}
		}
		if got := readFile(t, onlineFile); got != online {
			t.Errorf("CPUs online: %s, before: %s", got, online)
		}
	})
}

// elasticRounds is how often all CPUs go and come in TestElasticLoad.
const elasticRounds = 12

// TestElasticLoad: CPUs go and come, one by one and all at once, as fast as they
// can, under a program that computes on more threads than there are CPUs and under
// others that fork and execute. All results are right.
func TestElasticLoad(t *testing.T) {
	begin(t)
	atEnd(t)
	cpus := cpuList(t, "cpus")
	all := readFile(t, sysfs+"/cpus")
	one := func(i int) string { return strconv.Itoa(cpus[i%len(cpus)]) }
	c := startComputing(t, preload, len(cpus)+1)
	shell := repeat(t, "sh", "-c", "for i in 1 2 3; do echo $i | cat; done; ls / | wc -l; exit 3")
	for i := range elasticRounds {
		mustChange(t, "remove", one(i))
		mustChange(t, "add", one(i))
		mustChange(t, "remove", one(i+1))
		mustChange(t, "remove", one(i))
		mustChange(t, "add", one(i+1)+","+one(i))
		mustChange(t, "remove", all)
		cpusAre(t, "")
		mustChange(t, "add", all)
		cpusAre(t, all)
	}
	runs := shell.end()
	_, seen := c.finish()
	for _, cpu := range cpus {
		if seen>>cpu&1 == 0 {
			t.Errorf("no thread was on CPU %d: APIC ids %#x", cpu, seen)
		}
	}
	t.Logf("%d rounds of changes, %d runs of the shell", elasticRounds, runs)
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpus)), "50")
}

// TestElasticCompiler: the same under a compiler, whose output is the native one.
func TestElasticCompiler(t *testing.T) {
	begin(t)
	atEnd(t)
	source := filepath.Join(t.TempDir(), "hello.c")
	if err := os.WriteFile(source, []byte("#include <stdio.h>\nint main(void)\n{\n\treturn puts(\"hello\") < 0;\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	compiler := repeat(t, "gcc", "-O2", "-S", "-o", "-", source)
	all := readFile(t, sysfs+"/cpus")
	rounds := 0
	for ; rounds < 5 || compiler.runs.Load() < 2 && rounds < 1000; rounds++ {
		mustChange(t, "remove", all)
		mustChange(t, "add", all)
	}
	t.Logf("%d rounds of changes, %d runs of the compiler", rounds, compiler.end())
}

// TestElasticPrograms: one CPU after the other goes and comes while programs run
// that look at what could be lost on the way: registers in a storm of signals,
// requests to come home, floating-point state, translations that are no more.
func TestElasticPrograms(t *testing.T) {
	begin(t)
	atEnd(t)
	cpus := cpuList(t, "cpus")
	done := make(chan struct{})
	var changing sync.WaitGroup
	rounds := 0
	changing.Go(func() {
		for ; ; rounds++ {
			select {
			case <-done:
				return
			default:
			}
			cpu := strconv.Itoa(cpus[rounds%len(cpus)])
			if err := errors.Join(change("remove", cpu), change("add", cpu)); err != nil {
				t.Errorf("round %d: %v", rounds, err)
				return
			}
		}
	})
	defer func() { // also when a program fails the test
		close(done)
		changing.Wait()
		t.Logf("%d rounds of changes", rounds)
	}()
	each(t, "storm 300", "recall 100", "fpu 30", "stopcont 3")
	for _, argv := range [][]string{{"coherence", "munmap", "1", "20"}, {"coherence", "remap", "1", "20"}, {"futexop", "3000"}} {
		succeed(t, preload, append([]string{program(argv[0])}, argv[1:]...)...)
	}
}

// TestElasticLast: when the last CPU goes, programs run at home, those that begin
// then too, and nobody sees more processors than there are; when it comes again
// they are away at once.
func TestElasticLast(t *testing.T) {
	begin(t)
	atEnd(t)
	v := startVictim(t, preload, 2)
	_, all := usable(t)
	list := readFile(t, sysfs+"/cpus")
	shown := func(want int) {
		t.Helper()
		var mask unix.CPUSet
		if err := unix.SchedGetaffinity(v.pid(), &mask); err != nil {
			t.Fatal(err)
		}
		if mask.Count() != want {
			t.Errorf("%d CPUs are shown, not %d", mask.Count(), want)
		}
		for _, w := range []way{preload, viaRun} {
			if o := run(t, w, command{argv: []string{"getconf", "_NPROCESSORS_ONLN"}}); o.Stdout != fmt.Sprintln(want) || o.Stderr != "" {
				t.Errorf("getconf counts %q, not %d: %s", o.Stdout, want, o.Stderr)
			}
		}
	}
	shown(all)
	for range 3 {
		mustChange(t, "remove", list)
		for i := range v.pages {
			v.home(i)
			v.turning(i)
		}
		shown(len(onlineCPUs(t)))
		mustChange(t, "add", list)
		for i := range v.pages {
			v.away(i)
			v.turning(i)
		}
		shown(all)
	}
}

func onlineCPUs(t *testing.T) []int {
	t.Helper()
	cpus, err := parseList(readFile(t, onlineFile))
	if err != nil {
		t.Fatal(err)
	}
	return cpus
}

// TestElasticBound: a thread that is bound to a CPU which is given back is bound
// no more, as when Linux takes a CPU offline; one that has others left stays there,
// and goes to the first one again when it comes back.
func TestElasticBound(t *testing.T) {
	begin(t)
	atEnd(t)
	cpus := cpuList(t, "cpus")
	a, b := cpus[0], cpus[1]
	maskOf := func(v *victim) []int {
		var mask unix.CPUSet
		if err := unix.SchedGetaffinity(v.pid(), &mask); err != nil {
			t.Fatal(err)
		}
		var list []int
		for cpu := range 64 {
			if mask.IsSet(cpu) {
				list = append(list, cpu)
			}
		}
		return list
	}
	bound := func(cpus ...int) *victim {
		v := startVictim(t, preload, 1)
		var mask unix.CPUSet
		for _, cpu := range cpus {
			mask.Set(cpu)
		}
		if err := unix.SchedSetaffinity(v.pid(), &mask); err != nil {
			t.Fatal(err)
		}
		if got := maskOf(v); !slices.Equal(got, cpus) {
			t.Fatalf("bound to %v, not %v", got, cpus)
		}
		return v
	}
	one, two := bound(a), bound(a, b)
	mustChange(t, "remove", strconv.Itoa(a))
	if got := maskOf(two); !slices.Equal(got, []int{b}) {
		t.Errorf("what was bound to %d and %d is bound to %v", a, b, got)
	}
	two.on(0, b)
	if got, want := maskOf(one), append(onlineCPUs(t), cpuList(t, "cpus")...); !slices.Equal(got, want) {
		t.Errorf("what was bound to %d is bound to %v, not free: %v", a, got, want)
	}
	one.turning(0)
	mustChange(t, "add", strconv.Itoa(a))
	if got := maskOf(two); !slices.Equal(got, []int{a, b}) {
		t.Errorf("what was bound to %d and %d is bound to %v", a, b, got)
	}
	mustChange(t, "remove", strconv.Itoa(b))
	two.on(0, a)
}

// on waits until a thread is on one CPU.
func (v *victim) on(i, cpu int) {
	v.t.Helper()
	p := &v.pages[i]
	eventually(v.t, fmt.Sprintf("thread %d is on CPU %d", i, cpu), func() (bool, string) {
		return int(p.apic) == cpu, fmt.Sprintf("APIC id %d", p.apic)
	})
	v.turning(i)
}

// TestElasticRefused: what cannot be done is refused by a number, a line in the
// kernel's log and a line of the command, and nothing changes.
func TestElasticRefused(t *testing.T) {
	begin(t)
	cpus := cpuList(t, "cpus")
	ours, home := strconv.Itoa(cpus[0]), "0"
	for _, c := range []struct {
		what, list string
		want       error
		log        string
		says       string
	}{
		{"add", "nonsense", unix.EINVAL, `nonsense`, `not a CPU number`},
		{"add", "", unix.EINVAL, `give a list`, `not a CPU number`},
		{"remove", "3-1", unix.EINVAL, `3-1`, `descends`},
		{"add", home, unix.EPERM, `boot CPU`, `boot CPU`},
		{"remove", home, unix.EPERM, `boot CPU`, `boot CPU`},
		{"reset", home, unix.EPERM, `boot CPU`, `boot CPU`},
		{"add", "99", unix.ENXIO, `99`, `there is no CPU 99`},
		{"remove", ours + ",99", unix.ENXIO, `99`, `there is no CPU 99`},
		{"reset", "99", unix.ENXIO, `99`, `there is no CPU 99`},
		{"add", "20000", unix.ENXIO, `20000`, `out of range`},
		{"add", ours, unix.EEXIST, `already`, `CPU ` + ours + ` is an application CPU already`},
		{"reset", ours, unix.EALREADY, `has not failed`, `CPU ` + ours + ` has not failed`},
	} {
		log := openKernelLog(t)
		if err := change(c.what, c.list); !errors.Is(err, c.want) {
			t.Errorf("%s %q: %v, not %v", c.what, c.list, err, c.want)
		}
		said := log.ours()
		if len(said) != 1 || !regexp.MustCompile(c.log).MatchString(said[0]) {
			t.Errorf("%s %q: the kernel's log has %q", c.what, c.list, said)
		}
		o := run(t, native, command{argv: []string{"apkern", "cpu", c.what, c.list}})
		if o.Status != 1 || o.Stdout != "" || !oneLine(o.Stderr) || !strings.Contains(o.Stderr, c.says) {
			t.Errorf("apkern cpu %s %q: status %d, %q %q", c.what, c.list, o.Status, o.Stdout, o.Stderr)
		}
	}
	notOurs := func(cpu string) {
		for _, what := range []string{"remove", "reset"} {
			if err := change(what, cpu); !errors.Is(err, unix.ENODEV) {
				t.Errorf("%s %s: %v, not %v", what, cpu, err, unix.ENODEV)
			}
			o := run(t, native, command{argv: []string{"apkern", "cpu", what, cpu}})
			if o.Status != 1 || !oneLine(o.Stderr) || !strings.Contains(o.Stderr, "CPU "+cpu+" is not an application CPU") {
				t.Errorf("apkern cpu %s %s: status %d, %q", what, cpu, o.Status, o.Stderr)
			}
		}
	}
	for _, cpu := range onlineCPUs(t) {
		if cpu != 0 {
			notOurs(strconv.Itoa(cpu)) // another home CPU
		}
	}
	if o := run(t, native, command{argv: []string{"apkern", "cpu", "remove", ours}}); o.Status != 0 || o.Stdout+o.Stderr != "" {
		t.Errorf("apkern cpu remove %s: status %d, %q %q", ours, o.Status, o.Stdout, o.Stderr)
	}
	notOurs(ours)
	if err := change("remove", readFile(t, sysfs+"/possible")); !errors.Is(err, unix.ENODEV) {
		t.Errorf("removal of all, one of which is gone: %v", err)
	}
	if o := run(t, native, command{argv: []string{"apkern", "cpu", "add", ours}}); o.Status != 0 || o.Stdout+o.Stderr != "" {
		t.Errorf("apkern cpu add %s: status %d, %q %q", ours, o.Status, o.Stdout, o.Stderr)
	}
	if got := cpuList(t, "cpus"); !slices.Equal(got, cpus) {
		t.Errorf("application CPUs %v, before %v", got, cpus)
	}
	o := unprivileged(t, native, command{argv: []string{"apkern", "cpu", "remove", ours}})
	if o.Status != 1 || !oneLine(o.Stderr) || !strings.Contains(o.Stderr, "only root") {
		t.Errorf("nobody's apkern cpu remove: status %d, %q", o.Status, o.Stderr)
	}
}

// TestElasticHomes belongs into a boot in which Linux has several CPUs: one of
// them is taken and given back again and again, under load, and is Linux's again.
func TestElasticHomes(t *testing.T) {
	begin(t)
	atEnd(t)
	online, ours := readFile(t, onlineFile), readFile(t, sysfs+"/cpus")
	if online != "0-1" || ours != "2-3" {
		t.Fatalf("CPUs online: %s, application CPUs %s; this test needs 0-1 and 2-3", online, ours)
	}
	c := startComputing(t, preload, 5)
	shell := repeat(t, "sh", "-c", "for i in 1 2 3; do echo $i | cat; done; exit 3")
	for range 10 {
		mustChange(t, "add", "1")
		cpusAre(t, "1-3")
		if got := readFile(t, onlineFile); got != "0" {
			t.Errorf("CPUs online: %s, not 0", got)
		}
		onlineRefused(t, 1)
		mustChange(t, "remove", "1-3")
		cpusAre(t, "")
		if got := readFile(t, onlineFile); got != online {
			t.Errorf("CPUs online: %s, not %s", got, online)
		}
		mustChange(t, "add", "2-3")
	}
	t.Logf("%d runs of the shell", shell.end())
	if _, seen := c.finish(); seen != 0xf {
		t.Errorf("the APIC ids %#x were seen, not all of 0 to 3", seen)
	}
}

// TestElasticNone: the module may be there without any CPU; programs run at home,
// and go away when there is one.
func TestElasticNone(t *testing.T) {
	mustUnload(t)
	before := readFile(t, onlineFile)
	mustLoad(t, "cpus=none stay=0")
	cpusAre(t, "")
	for _, w := range []way{preload, viaRun} {
		if o := run(t, w, command{argv: []string{"echo", "home"}}); o.Status != 0 || o.Stdout != "home\n" || o.Stderr != "" {
			t.Errorf("%s without a CPU: %+v", w.name, o)
		}
	}
	o := run(t, native, command{argv: []string{"apkern", "status"}})
	if o.Status != 0 || o.Stderr != "" {
		t.Errorf("apkern status without a CPU: %+v", o)
	}
	possible := cpuList(t, "possible")
	last := strconv.Itoa(possible[len(possible)-1])
	mustChange(t, "add", last)
	cpusAre(t, last)
	succeed(t, preload, program("parallel"), "1", "50")
	for _, argv := range [][]string{{"apkern", "status"}, {"apkern", "stat"}, {"apkern", "log"}} {
		if o := run(t, native, command{argv: argv}); o.Status != 0 || o.Stderr != "" || !strings.Contains(o.Stdout, last) {
			t.Errorf("%v: %+v", argv, o)
		}
	}
	mustUnload(t)
	if err := untouched(before); err != nil {
		t.Error(err)
	}
}

// TestElasticTogether: several change CPUs at the same time while others read,
// insert and remove the module. Each change is made or refused as a whole, and in
// the end everything works.
func TestElasticTogether(t *testing.T) {
	begin(t)
	cpus := cpuList(t, "cpus")
	var all sync.WaitGroup
	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			o := run(t, native, command{argv: []string{"apkern", "status"}})
			if o.Status != 0 && !strings.Contains(o.Stderr, "not loaded") {
				t.Errorf("apkern status: status %d: %s", o.Status, o.Stderr)
			}
		}
	})
	for i := range 2 * len(cpus) {
		cpu := strconv.Itoa(cpus[i%len(cpus)])
		all.Go(func() {
			for range 15 {
				for _, what := range []string{"remove", "add"} {
					err := change(what, cpu)
					// Two work on each CPU: who comes second is refused.
					if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s %s: %v", what, cpu, err)
					}
				}
			}
		})
	}
	all.Go(func() {
		for range 5 {
			// Busy when a reader has the device open.
			if err := unload(); err == nil {
				if err := load("stay=0"); err != nil {
					t.Errorf("insmod: %v", err)
				}
			}
		}
	})
	all.Wait()
	close(done)
	readers.Wait()
	reload(t, "stay=0")
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpus)), "50")
}

// TestElasticReset: a CPU that failed is started again, $FAULTS times (10) in all ways that
// it can fail, while a program computes; status says why it failed and forgets it.
func TestElasticReset(t *testing.T) {
	reload(t, "inject=1 stay=0")
	log := openKernelLog(t)
	cpus := cpuList(t, "cpus")
	c := startComputing(t, preload, len(cpus)+1)
	commands := []uint32{abi.CmdCrashBounds, abi.CmdCrashPointer, abi.CmdCrashStack}
	for i := range environmentNumber(t, "FAULTS", 10) {
		cpu := cpus[i%len(cpus)]
		inject(t, cpu, commands[i%len(commands)])
		failed(t, cpu)
		name := strconv.Itoa(cpu)
		if o := run(t, native, command{argv: []string{"apkern", "status"}}); !regexp.MustCompile(`(?m)^CPU ` + name + ` failed: .+`).MatchString(o.Stdout) {
			t.Errorf("apkern status does not say why CPU %s failed: %s", name, o.Stdout)
		}
		if err := change("add", name); !errors.Is(err, unix.EEXIST) {
			t.Errorf("add of a failed CPU: %v", err)
		}
		if o := run(t, native, command{argv: []string{"apkern", "cpu", "reset", name}}); o.Status != 0 || o.Stdout+o.Stderr != "" {
			t.Fatalf("apkern cpu reset %s: %+v\n%s", name, o, strings.Join(log.lines(), "\n"))
		}
		if s := cpuAttribute(t, cpu, "state"); s == "failed" || cpuAttribute(t, cpu, "fatal") != "" {
			t.Errorf("CPU %s after reset: %s, %q", name, s, cpuAttribute(t, cpu, "fatal"))
		}
		succeed(t, way{name: "apkern run -c", prefix: []string{"apkern", "run", "-c", name, "--"}, env: []string{"WHERE=out"}},
			program("parallel"), "1", "10")
	}
	c.finish()
	// One that does not answer is found out when it is to leave, and reset, or not.
	for _, what := range []string{"remove", "reset"} {
		cpu := strconv.Itoa(cpus[0])
		inject(t, cpus[0], abi.CmdHang)
		if what == "reset" {
			failed(t, cpus[0])
		}
		mustChange(t, what, cpu)
		if what == "remove" {
			mustChange(t, "add", cpu)
		}
		succeed(t, preload, program("parallel"), strconv.Itoa(len(cpus)), "50")
	}
	for _, line := range log.complaints() {
		t.Errorf("kernel log: %s", line)
	}
	mustUnload(t)
}

// TestElasticSuspend: Linux does not suspend while it cannot restore a CPU, says
// so, and suspends when all are given back.
func TestElasticSuspend(t *testing.T) {
	const phases, state, delay = "/sys/power/pm_test", "/sys/power/state", "/sys/module/suspend/parameters/pm_test_delay"
	begin(t)
	if _, err := os.Stat(phases); err != nil {
		t.Skip("this Linux cannot suspend, or not for a test")
	}
	atEnd(t)
	write(t, "/", delay, "0")
	write(t, "/", phases, "freezer")
	t.Cleanup(func() { write(t, "/", phases, "none") })
	suspend := func() error { return os.WriteFile(state, []byte("freeze"), 0) }
	log := openKernelLog(t)
	if err := suspend(); err == nil {
		t.Error("Linux suspends with application CPUs")
	}
	if said := strings.Join(log.ours(), "\n"); !strings.Contains(said, "apkern cpu remove") {
		t.Errorf("the kernel's log does not say what to do: %q", said)
	}
	mustChange(t, "remove", readFile(t, sysfs+"/cpus"))
	if err := suspend(); err != nil {
		t.Errorf("without application CPUs: %v", err)
	}
}
