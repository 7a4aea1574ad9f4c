package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	sysfs      = "/sys/kernel/apkern"
	moduleDir  = "/sys/module/apkern"
	onlineFile = "/sys/devices/system/cpu/online"
)

// readFile returns a file's contents without the space around them.
func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// number returns the number that a file holds.
func number(t *testing.T, path string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(readFile(t, path), 0, 64)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return n
}

// home returns one of the counters of the home side.
func home(t *testing.T, name string) int64 {
	t.Helper()
	return number(t, filepath.Join(sysfs, "home", name))
}

// parseList parses Linux's cpulist syntax: "0,2-3".
func parseList(s string) ([]int, error) {
	var cpus []int
	for _, part := range strings.FieldsFunc(strings.TrimSpace(s), func(r rune) bool { return r == ',' }) {
		from, to, found := strings.Cut(part, "-")
		if !found {
			to = from
		}
		first, err := strconv.Atoi(from)
		if err != nil {
			return nil, err
		}
		last, err := strconv.Atoi(to)
		if err != nil {
			return nil, err
		}
		for n := first; n <= last; n++ {
			cpus = append(cpus, n)
		}
	}
	return cpus, nil
}

// cpuList returns a CPU list of the module: "cpus" or "home_cpus".
func cpuList(t *testing.T, name string) []int {
	t.Helper()
	cpus, err := parseList(readFile(t, filepath.Join(sysfs, name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return cpus
}

// cpuAttribute returns an attribute of an application CPU by its Linux number.
func cpuAttribute(t *testing.T, cpu int, name string) string {
	t.Helper()
	return readFile(t, filepath.Join(sysfs, fmt.Sprintf("cpu%d", cpu), name))
}

// homeAPICs returns the bit mask of the APIC ids of the CPUs that Linux runs. In
// the virtual machines the APIC id is Linux's number.
func homeAPICs(t *testing.T) uint64 {
	t.Helper()
	cpus, err := parseList(readFile(t, onlineFile))
	if err != nil {
		t.Fatal(err)
	}
	var mask uint64
	for _, cpu := range cpus {
		mask |= 1 << cpu
	}
	return mask
}

// setParameter writes a module parameter and restores it after the test.
func setParameter(t *testing.T, name, value string) {
	t.Helper()
	path := filepath.Join(moduleDir, "parameters", name)
	before := readFile(t, path)
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !loaded() {
			return // a test that unloads the module took the value with it
		}
		if err := os.WriteFile(path, []byte(before), 0); err != nil {
			t.Error(err)
		}
	})
}

// settle waits until the module knows of no thread and no slot is in use: what a
// program leaves behind when it ends is cleaned up by work that Linux defers.
func settle(t *testing.T) {
	t.Helper()
	if !loaded() {
		return
	}
	eventually(t, "nothing left in the module", func() (bool, string) {
		threads, slots := number(t, sysfs+"/threads"), number(t, sysfs+"/slots")
		references := number(t, moduleDir+"/refcnt")
		return threads == 0 && slots == 0 && references == 0,
			fmt.Sprintf("%d threads, %d slots, %d references", threads, slots, references)
	})
}
