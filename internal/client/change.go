package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"apkern/internal/cpulist"
)

// Change is what can be done with CPUs while programs run: the names of the files
// that CPU lists are written to.
type Change string

// The changes. What each refuses, in one line, is explained by Sysfs.Change.
const (
	Add    Change = "add"    // takes CPUs, from Linux if it runs them
	Remove Change = "remove" // gives them back
	Reset  Change = "reset"  // starts failed ones afresh
)

// Change makes a change, one after the other has been made. Nothing changes when
// one of the CPUs is refused; when one fails on the way, those with lower numbers
// have changed.
func (s Sysfs) Change(what Change, cpus []int) error {
	f, err := os.OpenFile(filepath.Join(s.dir, string(what)), os.O_WRONLY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrNotLoaded
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("only root may %s CPUs%w", what, hidden{err})
	case err != nil:
		return err
	}
	_, err = f.WriteString(cpulist.Format(cpus) + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return s.explain(what, cpus, err)
	}
	return nil
}

// explain says in one line what the module said by a number. Its own words are in
// the kernel's log.
func (s Sysfs) explain(what Change, cpus []int, err error) error {
	r := reader{dir: s.dir}
	ours, possible := r.cpus("cpus"), r.cpus("possible")
	some := func(wanted func(c int) bool) string {
		return cpulist.Format(slices.DeleteFunc(slices.Clone(cpus), func(c int) bool { return !wanted(c) }))
	}
	var text string
	switch {
	case errors.Is(err, unix.EPERM):
		text = "CPU 0 is the boot CPU, which stays with Linux"
	case errors.Is(err, unix.ENXIO):
		text = fmt.Sprintf("there is no CPU %s: possible are %s",
			some(func(c int) bool { return !slices.Contains(possible, c) }), cpulist.Format(possible))
	case errors.Is(err, unix.EEXIST):
		text = fmt.Sprintf("CPU %s is an application CPU already (apkern status tells whether it has failed)",
			some(func(c int) bool { return slices.Contains(ours, c) }))
	case what != Add && errors.Is(err, unix.ENODEV):
		text = fmt.Sprintf("CPU %s is not an application CPU (apkern status lists them)",
			some(func(c int) bool { return !slices.Contains(ours, c) }))
	case errors.Is(err, unix.EALREADY):
		text = fmt.Sprintf("CPU %s has not failed: there is nothing to reset",
			some(func(c int) bool { return r.text(fmt.Sprintf("cpu%d/state", c)) != "failed" }))
	case errors.Is(err, unix.EINTR):
		text = "interrupted"
	default:
		return fmt.Errorf("cannot %s CPU %s: %w; the kernel's log says why (dmesg)", what, cpulist.Format(cpus), unwrapped(err))
	}
	return fmt.Errorf("%s%w", text, hidden{err})
}

// unwrapped is the number alone: the file's name tells nobody anything.
func unwrapped(err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err
	}
	return err
}
