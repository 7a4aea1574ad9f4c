package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"apkern/internal/cpulist"
)

// Sysfs reads the module's directory of one-value files.
type Sysfs struct{ dir string }

// SysfsDir is where the module puts them.
const SysfsDir = "/sys/kernel/apkern"

// SysfsAt reads the files in dir: SysfsDir, or a test's.
func SysfsAt(dir string) Sysfs { return Sysfs{dir} }

// CPU is the state of one application CPU.
type CPU struct {
	Number   int               `json:"cpu"`   // Linux's
	Index    int               `json:"index"` // in the device's mapping
	APICID   uint64            `json:"apicid"`
	State    string            `json:"state"`            // down, polling, halted, running, parked, failed
	Thread   int               `json:"thread,omitempty"` // thread id of what runs there; 0: nothing
	Command  string            `json:"comm,omitempty"`   // its name
	Waiting  int               `json:"waiting"`          // ready threads that may run there
	Fatal    string            `json:"fatal,omitempty"`  // how it failed
	Counters map[string]uint64 `json:"counters"`
}

// Status is the state of the module.
type Status struct {
	Home    []int    `json:"home_cpus"` // Linux's own CPUs
	Threads int      `json:"threads"`   // adopted
	Slots   int      `json:"slots"`     // in use
	Memory  Memories `json:"memory"`
	CPUs    []CPU    `json:"cpus"` // by number
}

// Memories is what the module has allocated, in bytes.
type Memories struct {
	Shared  int `json:"shared"`  // once: the application kernel, what all CPUs share
	CPUs    int `json:"cpus"`    // pages and tables of application CPUs
	Threads int `json:"threads"` // records and slots of adopted threads, those kept for new ones included
}

// Status reads all of it. The files are read one after the other while threads
// come and go, so they need not agree. ErrNotLoaded without the module.
func (s Sysfs) Status() (st Status, err error) {
	for range 3 { // the module may be removed meanwhile, or replaced
		if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
			return Status{}, ErrNotLoaded
		}
		if st, err = s.status(); !vanished(err) {
			return st, err
		}
	}
	return Status{}, ErrNotLoaded // it is just being inserted, or removed
}

// vanished says that a file was removed before it was opened, or before it was read.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}

func (s Sysfs) status() (Status, error) {
	r := reader{dir: s.dir}
	st := Status{
		Home:    r.cpus("home_cpus"),
		Threads: r.number("threads"),
		Slots:   r.number("slots"),
		Memory: Memories{
			Shared: r.number("memory_shared"), CPUs: r.number("memory_cpus"), Threads: r.number("memory_threads"),
		},
		CPUs: []CPU{},
	}
	for _, n := range r.cpus("cpus") {
		c := r.cpu(n)
		if r.gone(n) {
			continue
		}
		st.CPUs = append(st.CPUs, c)
	}
	return st, r.err
}

// reader reads one-value files until the first error.
type reader struct {
	dir string
	err error
}

func (r *reader) cpu(n int) CPU {
	dir := fmt.Sprintf("cpu%d/", n)
	return CPU{
		Number:   n,
		Index:    r.number(dir + "index"),
		APICID:   uint64(r.number(dir + "apicid")),
		State:    r.text(dir + "state"),
		Thread:   r.number(dir + "thread"),
		Command:  r.text(dir + "comm"),
		Waiting:  r.number(dir + "waiting"),
		Fatal:    r.text(dir + "fatal"),
		Counters: r.counters(dir + "counters"),
	}
}

// gone says whether a CPU was given back while its files were read, which is no
// error.
func (r *reader) gone(n int) bool {
	if !vanished(r.err) {
		return false
	}
	if _, err := os.Stat(fmt.Sprintf("%s/cpu%d", r.dir, n)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.err = nil
	return true
}

// text returns a file's content without the newline.
func (r *reader) text(name string) string {
	if r.err != nil {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	r.err = err
	return strings.TrimSuffix(string(data), "\n")
}

func (r *reader) number(name string) int {
	n, err := strconv.Atoi(r.text(name))
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("%s/%s: not a number: %w", r.dir, name, err)
	}
	return n
}

// cpus reads a cpulist, which may be empty.
func (r *reader) cpus(name string) []int {
	text := r.text(name)
	if text == "" {
		return []int{}
	}
	list, err := cpulist.Parse(text)
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("%s/%s: %w", r.dir, name, err)
	}
	return list
}

// counters reads a directory of counters.
func (r *reader) counters(name string) map[string]uint64 {
	values := map[string]uint64{}
	if r.err != nil {
		return values
	}
	entries, err := os.ReadDir(filepath.Join(r.dir, name))
	r.err = err
	for _, e := range entries {
		text := r.text(name + "/" + e.Name())
		if r.err != nil {
			return values
		}
		if values[e.Name()], r.err = strconv.ParseUint(text, 10, 64); r.err != nil {
			return values
		}
	}
	return values
}
