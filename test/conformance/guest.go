package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"apkern/internal/kernellog"
)

// maxTries is how often a suite is run on both sides when they differ.
const maxTries = 3

// side is where a suite runs.
type side string

const (
	native  side = "native"
	adopted side = "apkern"
)

const resultFile = "result.json"

// outputName is the file of a run's output, in the suite's directory of results.
func outputName(s side, try int) string { return fmt.Sprintf("%s.%d.out", s, try) }

// result is what a suite came to.
type result struct {
	Suite   string              `json:"suite"`
	Build   string              `json:"build"` // of the application kernel
	Cases   map[string]*history `json:"cases"`
	Tries   int                 `json:"tries"`
	Visits  int                 `json:"visits"` // of the adopted run
	Seconds int                 `json:"seconds"`
}

// guestMain runs in the virtual machine: one suite, results to a directory.
func guestMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: conformance guest SUITE DIR")
	}
	chosen, err := choose(table, args[:1])
	if err != nil {
		return err
	}
	if err := checkClock(); err != nil {
		return err
	}
	if err := os.MkdirAll(scratch, 0o1777); err != nil {
		return err
	}
	g := guest{suite: chosen[0], dir: args[1]}
	res, err := g.run()
	if err != nil {
		return err
	}
	return writeResult(filepath.Join(g.dir, resultFile), res)
}

type guest struct {
	suite suite
	dir   string
	lines int // of the kernel's log that were looked at
}

// run runs the suite on both sides, and again what differs.
func (g *guest) run() (result, error) {
	build, err := os.ReadFile("/sys/kernel/apkern/build_id")
	if err != nil {
		return result{}, err
	}
	res := result{Suite: g.suite.name, Build: strings.TrimSpace(string(build)), Cases: map[string]*history{}}
	begun := time.Now()
	var names []string
	for res.Tries < maxTries {
		res.Tries++
		var sides [2]outcomes
		for i, s := range []side{native, adopted} {
			before := visits()
			var err error
			if sides[i], err = g.runSide(s, res.Tries, names); err != nil {
				return res, err
			}
			if err := g.plausible(s, res.Tries, sides[i], visits()-before); err != nil {
				return res, err
			}
			if s == adopted && res.Tries == 1 {
				res.Visits = visits() - before
			}
		}
		add(res.Cases, sides[0], sides[1], names)
		if names = differing(res.Cases); len(names) == 0 {
			break
		}
		fmt.Printf("try %d: %d tests differ: %s\n", res.Tries, len(names), strings.Join(names, ", "))
	}
	res.Seconds = int(time.Since(begun).Seconds())
	return res, nil
}

// plausible refuses a comparison that would say nothing: of runs without a test, or
// that were not natively and adopted. The little that is repeated may stay home.
func (g *guest) plausible(s side, try int, o outcomes, visits int) error {
	if try == 1 && !slices.ContainsFunc(union(o, nil), func(n string) bool { return !strings.HasPrefix(n, "(") }) {
		return fmt.Errorf("no test appeared (%s)", s)
	}
	if s == native && visits > 0 || s == adopted && try == 1 && visits == 0 {
		return fmt.Errorf("%d visits while the suite ran (%s)", visits, s)
	}
	return nil
}

// runSide runs the suite once; only its tests of these names, if there are any.
func (g *guest) runSide(s side, try int, names []string) (outcomes, error) {
	output := filepath.Join(g.dir, outputName(s, try))
	out, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	tmp, err := os.MkdirTemp(scratch, "run")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o777); err != nil {
		return nil, err
	}
	begun := time.Now()
	how, err := g.command(s, tmp, names).run(out, g.suite.limit)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	o := g.suite.parse(string(text))
	o[exitCase] = how
	o[kernelCase] = g.complaints()
	fmt.Printf("%s %d: %s, %d tests, %v\n", s, try, how, len(o)-2, time.Since(begun).Round(time.Second))
	return o, nil
}

// command is the suite's command for a side.
func (g *guest) command(s side, tmp string, names []string) command {
	argv := g.suite.argv
	// How the whole ended, or what Linux said, is no test to select.
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.HasPrefix(n, "(") })
	if g.suite.only != nil && len(names) > 0 {
		argv = g.suite.only(argv, names)
	}
	env := append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + tmp, "TMPDIR=" + tmp,
	}, g.suite.env...)
	if s == adopted {
		if g.suite.preload {
			env = append(env, "LD_PRELOAD=/lib/libstartup.so.1")
		} else {
			argv = append([]string{"apkern", "run", "--"}, argv...)
		}
	}
	c := command{argv: argv, env: env, dir: g.suite.dir}
	if c.dir == "" {
		c.dir = tmp
	}
	return c
}

// visits is how many visits there were since the module was inserted.
func visits() int {
	text, err := os.ReadFile("/sys/kernel/apkern/home/visit")
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// complaints is pass, or the first thing that Linux complained about since the
// last call.
func (g *guest) complaints() string {
	buf := make([]byte, 4<<20)
	n, err := syscall.Klogctl(3, buf) // SYSLOG_ACTION_READ_ALL
	if err != nil {
		return err.Error()
	}
	log := kernellog.Texts(string(buf[:n]))
	_ = os.WriteFile(filepath.Join(g.dir, "kernel.log"), buf[:n], 0o644)
	fresh := log[min(g.lines, len(log)):]
	g.lines = len(log)
	if reports := kernellog.Find(fresh); len(reports) > 0 {
		return reports[0].Kind
	}
	if slices.ContainsFunc(fresh, kernellog.CPUFailure) {
		return "application CPU failed"
	}
	return pass
}
