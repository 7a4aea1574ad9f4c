package guest

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"apkern/abi"

	"golang.org/x/sys/unix"
)

// changed returns v after change.
func changed[T any](v T, change func(*T)) *T {
	change(&v)
	return &v
}

// TestRequests: requests that are not exactly right are refused and change nothing.
func TestRequests(t *testing.T) {
	begin(t)
	fd := openDevice(t)
	adopted := home(t, "adopted")
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"unknown request", ioctl(fd, 0x6bff, changed(infoRequest(), func(*abi.Info) {})), unix.ENOTTY},
		{"unknown size", ioctl(fd, 0x40406b01, changed(adoptRequest(), func(*abi.Adopt) {})), unix.ENOTTY},
		{"adopt, size", ioctl(fd, abi.IocAdopt, changed(adoptRequest(), func(a *abi.Adopt) { a.Size++ })), unix.EINVAL},
		{"adopt, no size", ioctl(fd, abi.IocAdopt, changed(adoptRequest(), func(a *abi.Adopt) { a.Size = 0 })), unix.EINVAL},
		{"adopt, version", ioctl(fd, abi.IocAdopt, changed(adoptRequest(), func(a *abi.Adopt) { a.Version++ })), unix.EINVAL},
		{"adopt, flags", ioctl(fd, abi.IocAdopt, changed(adoptRequest(), func(a *abi.Adopt) { a.Flags = 1 << 40 })), unix.EINVAL},
		{"adopt, home CPU", ioctl(fd, abi.IocAdopt, changed(adoptRequest(), func(a *abi.Adopt) { a.CPUs[0] = 1 })), unix.EINVAL},
		{"adopt, no such CPU", ioctl(fd, abi.IocAdopt, changed(adoptRequest(), func(a *abi.Adopt) { a.CPUs[3] = 1 << 63 })), unix.EINVAL},
		{"adopt at exec, size", ioctl(fd, abi.IocAdoptExec, changed(adoptRequest(), func(a *abi.Adopt) { a.Size = 8 })), unix.EINVAL},
		{"adopt at exec, flags", ioctl(fd, abi.IocAdoptExec, changed(adoptRequest(), func(a *abi.Adopt) { a.Flags = 1 })), unix.EINVAL},
		{"info, size", ioctl(fd, abi.IocInfo, changed(infoRequest(), func(i *abi.Info) { i.Size-- })), unix.EINVAL},
		{"info, version", ioctl(fd, abi.IocInfo, changed(infoRequest(), func(i *abi.Info) { i.Version = 0 })), unix.EINVAL},
		{"adopt, no memory there", ioctl(fd, abi.IocAdopt, (*abi.Adopt)(nil)), unix.EFAULT},
		{"info, no memory there", ioctl(fd, abi.IocInfo, (*abi.Info)(nil)), unix.EFAULT},
	} {
		if c.err != c.want {
			t.Errorf("%s: %v, not %v", c.name, c.err, c.want)
		}
	}
	if home(t, "adopted") != adopted {
		t.Error("a refused request adopted the thread")
	}
	info := infoRequest()
	if err := ioctl(fd, abi.IocInfo, &info); err != nil {
		t.Fatalf("info: %v", err)
	}
	if want := len(cpuList(t, "cpus")); int(info.CPUs) != want || int(info.CPUsUp) != want || info.TSCKHz == 0 {
		t.Errorf("info says %+v, %d CPUs were taken", info, want)
	}
}

// TestMapping: the device's memory is read-only and ends where it is said to end.
func TestMapping(t *testing.T) {
	begin(t)
	fd := openDevice(t)
	pages := abi.MapCPU + abi.MapCPUPages*len(cpuList(t, "cpus"))
	for _, c := range []struct {
		name       string
		page       int
		pages      int
		protection int
		want       error
	}{
		{"all", 0, pages, unix.PROT_READ, nil},
		{"writable", 0, 1, unix.PROT_READ | unix.PROT_WRITE, unix.EPERM},
		{"executable", 0, 1, unix.PROT_READ | unix.PROT_EXEC, unix.EPERM},
		{"past the end", pages, 1, unix.PROT_READ, unix.EINVAL},
		{"over the end", pages - 1, 2, unix.PROT_READ, unix.EINVAL},
	} {
		m, err := unix.Mmap(fd, int64(c.page*abi.PageSize), c.pages*abi.PageSize, c.protection, unix.MAP_SHARED)
		if err != c.want {
			t.Errorf("%s: %v, not %v", c.name, err, c.want)
		}
		if err != nil {
			continue
		}
		if err := unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE); err != unix.EACCES {
			t.Errorf("%s: mprotect: %v, not %v", c.name, err, unix.EACCES)
		}
		if err := unix.Munmap(m); err != nil {
			t.Error(err)
		}
	}
}

// unprivileged runs a command as the user nobody.
func unprivileged(t *testing.T, w way, c command) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := start(t, w, c)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(timeLimit, func() { killGroup(cmd) })
	_ = cmd.Wait() // its status is returned
	if !hung.Stop() {
		t.Errorf("%v: still running after %v", c.argv, timeLimit)
	}
	return outcome{stdout.String(), stderr.String(), status(cmd.ProcessState)}
}

// TestUnprivileged: who may not open the device is told so, once, and what
// needs no adoption runs.
func TestUnprivileged(t *testing.T) {
	begin(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := unprivileged(t, native, command{argv: []string{exe}, env: []string{"GUEST_HELPER=open"}})
	if o.Status != 1 || o.Stdout != unix.EACCES.Error()+"\n" {
		t.Errorf("nobody opens the device: status %d, %s%s", o.Status, o.Stdout, o.Stderr)
	}
	adopted := home(t, "adopted")
	o = unprivileged(t, preload, command{argv: []string{"echo", "runs"}})
	if o.Status != 0 || o.Stdout != "runs\n" || !oneLine(o.Stderr) {
		t.Errorf("library: status %d, stdout %q, stderr %q", o.Status, o.Stdout, o.Stderr)
	}
	o = unprivileged(t, viaRun, command{argv: []string{"echo", "runs"}})
	if o.Status != 125 || o.Stdout != "" || !oneLine(o.Stderr) {
		t.Errorf("apkern run: status %d, stdout %q, stderr %q", o.Status, o.Stdout, o.Stderr)
	}
	if home(t, "adopted") != adopted {
		t.Error("something was adopted")
	}
}

// oneLine tells whether s is one line that says who says it.
func oneLine(s string) bool {
	return strings.Count(s, "\n") == 1 && strings.HasSuffix(s, "\n") && strings.Contains(s, "apkern")
}

// TestParameters: parameters that cannot be met are refused with a line that
// says why, and nothing changes.
func TestParameters(t *testing.T) {
	mustUnload(t)
	refused(t, "cpus=nonsense", unix.EINVAL, `nonsense`)
	refused(t, "cpus=0", unix.EPERM, `boot CPU`)
	refused(t, "cpus=0-1", unix.EPERM, `boot CPU`)
	refused(t, "cpus=9", unix.ENXIO, `9`)
	refused(t, "cpus=1,9", unix.ENXIO, `9`)
	refused(t, "inject_warp=100000000", unix.ENODEV, `time-stamp counter`)
	reload(t, "cpus=2")
	if got := cpuList(t, "cpus"); len(got) != 1 || got[0] != 2 {
		t.Errorf("cpus=2 took %v", got)
	}
	mustUnload(t)
}

// TestLockPrefixes belongs into a boot without noreplace-smp on one CPU, where
// Linux has patched its LOCK prefixes away: the module must refuse.
func TestLockPrefixes(t *testing.T) {
	refused(t, "", unix.EOPNOTSUPP, `noreplace-smp`)
}

// TestModuleInformation: modinfo documents every parameter.
func TestModuleInformation(t *testing.T) {
	begin(t)
	out, err := exec.Command("modinfo", "-F", "parm", modulePath()).Output()
	if err != nil {
		t.Fatalf("modinfo: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if name, text, _ := strings.Cut(line, ":"); strings.TrimSpace(text) == "" || strings.HasPrefix(text, " (") {
			t.Errorf("parameter %s is not described: %q", name, line)
		}
	}
	parameters, err := os.ReadDir(moduleDir + "/parameters")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parameters {
		if !strings.Contains("\n"+string(out), "\n"+p.Name()+":") {
			t.Errorf("parameter %s is not in modinfo", p.Name())
		}
	}
}
