package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"apkern/internal/kernellog"
)

// On the Linux of make test-debug-kernel, which watches itself, all that was
// logged since the boot is looked at when the tests of a boot are over, and
// memory that nothing points to is looked for, the module unloaded.
// APKERN_WATCHED=1 says that it is one.

const (
	debugfs     = "/sys/kernel/debug"
	kmemleak    = debugfs + "/kmemleak"
	lockStats   = "/proc/lockdep_stats"
	kallsyms    = "/proc/kallsyms"
	kasanIsOn   = "KernelAddressSanitizer initialized"
	youngObject = 6 * time.Second // kmemleak suspects none that is younger than five
)

var locksAreWatched = regexp.MustCompile(`debug_locks: +1\b`)

// watched tells whether the kernel is one that watches itself.
func watched() bool { return os.Getenv("APKERN_WATCHED") == "1" }

// examine says what the kernel has to report, and is true when that is nothing
// and the kernel was watching to the end.
func examine(out io.Writer) bool {
	leaks, err := findLeaks()
	if err != nil {
		fmt.Fprintf(out, "watched: looking for leaks: %v\n", err)
	}
	log, logErr := wholeLog()
	if logErr != nil {
		fmt.Fprintf(out, "watched: the kernel's log: %v\n", logErr)
	}
	reports := kernellog.Find(log)
	for _, r := range reports {
		fmt.Fprintf(out, "watched: REPORT (%s):\n%s\n", r.Kind, r)
	}
	if leaks != "" {
		fmt.Fprintf(out, "watched: LEAKS:\n%s\n", leaks)
	}
	asleep := asleep(log)
	for _, what := range asleep {
		fmt.Fprintf(out, "watched: %s\n", what)
	}
	if err != nil || logErr != nil || len(reports) > 0 || leaks != "" || len(asleep) > 0 {
		return false
	}
	fmt.Fprintf(out, "watched: nothing to report in %d lines\n", len(log))
	return true
}

// asleep says what of the kernel did not watch.
func asleep(log []string) []string {
	var off []string
	if !strings.Contains(strings.Join(log, "\n"), kasanIsOn) {
		off = append(off, "KASAN is off, or the log is cut")
	}
	if stats, err := os.ReadFile(lockStats); err != nil || !locksAreWatched.Match(stats) {
		off = append(off, "lockdep is off")
	}
	return off
}

// wholeLog returns all that was logged since the boot.
func wholeLog() ([]string, error) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	lines, err := readLog(fd)
	for _, line := range lines {
		if line == messagesLost {
			err = errors.Join(err, errors.New(line))
		}
	}
	return lines, err
}

// findLeaks returns kmemleak's account of what nothing points to, "" when there
// is nothing. The module's own memory counts as leaked only when the module is
// gone: it is unloaded.
func findLeaks() (string, error) {
	if err := mountDebugfs(); err != nil {
		return "", err
	}
	symbols, err := moduleSymbols()
	if err != nil {
		return "", err
	}
	if err := unloadAnyhow(); err != nil {
		return "", err
	}
	time.Sleep(youngObject)
	for range 2 { // what a register held by chance in the one scan is seen by the other
		if err := os.WriteFile(kmemleak, []byte("scan"), 0); err != nil {
			return "", err
		}
	}
	leaks, err := os.ReadFile(kmemleak)
	return symbols.name(string(leaks)), err
}

func mountDebugfs() error {
	if _, err := os.Stat(kmemleak); err == nil {
		return nil
	}
	return unix.Mount("debugfs", debugfs, "debugfs", 0, "")
}

// unloadAnyhow unloads the module, if it is there, as soon as nobody has it.
func unloadAnyhow() error {
	for end := time.Now().Add(patient(time.Minute)); loaded(); time.Sleep(20 * time.Millisecond) {
		if err := unload(); err != nil && time.Now().After(end) {
			return fmt.Errorf("rmmod: %w", err)
		}
	}
	return nil
}

// symbolTable are the module's functions by address, for addresses that are only
// looked at when the module is gone.
type symbolTable []symbol

type symbol struct {
	address uint64
	name    string
}

func moduleSymbols() (symbolTable, error) {
	b, err := os.ReadFile(kallsyms)
	if err != nil {
		return nil, err
	}
	var table symbolTable
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) != 4 || f[3] != "["+moduleName+"]" {
			continue
		}
		address, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil {
			return nil, err
		}
		table = append(table, symbol{address, f[2]})
	}
	sort.Slice(table, func(i, j int) bool { return table[i].address < table[j].address })
	return table, nil
}

var kernelAddress = regexp.MustCompile(`0xffffffff[0-9a-f]{8}`)

// name writes the module's functions behind their addresses in text.
func (s symbolTable) name(text string) string {
	return kernelAddress.ReplaceAllStringFunc(text, func(word string) string {
		address, err := strconv.ParseUint(word[2:], 16, 64)
		i := sort.Search(len(s), func(i int) bool { return s[i].address > address })
		if err != nil || i == 0 || i == len(s) {
			return word
		}
		return fmt.Sprintf("%s (%s+%#x)", word, s[i-1].name, address-s[i-1].address)
	})
}
