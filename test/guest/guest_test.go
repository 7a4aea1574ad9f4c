package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// helpers are what this binary does as a child of a test instead of testing:
// GUEST_HELPER names one.
var helpers = map[string]func() int{
	"open": openHelper,
}

// build is the directory of the build products: where this binary lies.
var build string

func TestMain(m *testing.M) {
	if f := helpers[os.Getenv("GUEST_HELPER")]; f != nil {
		os.Exit(f())
	}
	if os.Getenv("APKERN_GUEST") != "1" {
		fmt.Fprintln(os.Stderr, "guest: these tests load a kernel module and need a virtual machine of their own; use test/run-vm.sh, or set APKERN_GUEST=1 inside one")
		os.Exit(1)
	}
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
	build = filepath.Dir(exe)
	status := m.Run()
	if watched() && !examine(os.Stdout) {
		status = 1
	}
	os.Exit(status)
}

// slower is how many times slower this machine is than others.
func slower() int {
	if n, err := strconv.Atoi(os.Getenv("APKERN_SLOWER")); err == nil && n > 0 {
		return n
	}
	return 1
}

// patient is how long to wait here for what takes d elsewhere.
func patient(d time.Duration) time.Duration { return d * time.Duration(slower()) }

// fewer is how many rounds to make here where n are made elsewhere.
func fewer(n int) int { return max(n/slower(), 1) }

// program returns the path of a guest test program.
func program(name string) string {
	return filepath.Join(build, "test", name)
}

// begin prepares a test that needs the module: it is loaded, and threads always
// visit, so that being away is not left to the policy. When the test is over
// nothing of it may be left in the module, no CPU may have failed, and the kernel
// log may hold no complaint.
func begin(t *testing.T) {
	t.Helper()
	if !loaded() {
		mustLoad(t, "")
	}
	knobsHold(t)
	setParameter(t, "stay", "0")
	log := openKernelLog(t)
	t.Cleanup(func() {
		settle(t)
		for _, cpu := range cpuList(t, "cpus") {
			if s := cpuAttribute(t, cpu, "state"); s == "failed" {
				t.Errorf("CPU %d has failed: %s", cpu, cpuAttribute(t, cpu, "fatal"))
			}
		}
		for _, report := range log.complaints() {
			t.Errorf("kernel log: %s", report)
		}
	})
}
