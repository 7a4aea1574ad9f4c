package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apkern/abi"

	"golang.org/x/sys/unix"
)

// TestSiblings belongs into a boot with two threads a core (of a maker's that Linux
// believes to have them), in which Linux has CPU 0:
// what shares a core with a CPU of Linux's is left out, or refused when it is named.
func TestSiblings(t *testing.T) {
	mustUnload(t)
	takes(t, "", 2, 3)
	takes(t, "allow_smt=1", 1, 2, 3)
	refused(t, "cpus=1", unix.EINVAL, `CPU 1 shares its core`)
	refused(t, "cpus=1-3", unix.EINVAL, `CPU 1 shares its core`)
	refused(t, "cpus=2", unix.EINVAL, `CPU 2 shares its core`)
	takes(t, "cpus=2-3", 2, 3)
}

// TestSMTOff belongs into such a boot with nosmt: one thread of each core is taken.
func TestSMTOff(t *testing.T) {
	mustUnload(t)
	takes(t, "", 2)
	takes(t, "allow_smt=1", 1, 2, 3)
	takes(t, "cpus=2", 2)
	refused(t, "cpus=2-3", unix.EINVAL, `CPU 3 is the second thread`)
}

// takes loads the module and checks which CPUs it has, and that programs run on
// each of them.
func takes(t *testing.T, parameters string, want ...int) {
	t.Helper()
	mustLoad(t, parameters+" stay=0")
	if got := cpuList(t, "cpus"); !slices.Equal(got, want) {
		t.Errorf("insmod %s took the CPUs %v, not %v", parameters, got, want)
	}
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "50")
	mustUnload(t)
}

// TestUserShare: the threads of one user have the slots that user_slots gives them,
// and no more, whatever user namespaces they make; root's go on as before.
func TestUserShare(t *testing.T) {
	begin(t)
	setParameter(t, "user_slots", "2")
	if err := os.Chmod(abi.Device, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(abi.Device, 0o660); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		name   string
		prefix []string
	}{
		{"nobody", []string{"setpriv", "--reuid=65534", "--clear-groups"}},
		{"nobody, as root of a namespace", []string{"setpriv", "--reuid=65534", "--clear-groups", "unshare", "--user", "--map-root-user"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusals := number(t, sysfs+"/decline/slots")
			// Eight threads that spin, and the one that started them.
			cmd := start(t, way{prefix: c.prefix, env: preload.env}, command{argv: []string{program("spin"), "8", "100000"}})
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				killGroup(cmd)
				_ = cmd.Wait() // it was killed
				settle(t)
			})
			eventually(t, "two slots are taken, and others wanted", func() (bool, string) {
				slots, declined := number(t, sysfs+"/slots"), number(t, sysfs+"/decline/slots")-refusals
				return slots == 2 && declined >= 6, fmt.Sprintf("%d slots, %d refusals", slots, declined)
			})
			for _, cpu := range cpuList(t, "cpus") {
				w := way{name: "root", prefix: []string{"apkern", "run", "-c", strconv.Itoa(cpu), "--"}, env: []string{"WHERE=out"}}
				succeed(t, w, program("parallel"), "1", "5")
			}
			if slots := number(t, sysfs+"/slots"); slots > 2 {
				t.Errorf("the user has %d slots", slots)
			}
		})
	}
}

// TestPermissions: the device is for root and its group, and what sysfs shows can be
// read by all, written by root alone, and holds no kernel address.
func TestPermissions(t *testing.T) {
	begin(t)
	device, err := os.Stat(abi.Device)
	if err != nil {
		t.Fatal(err)
	}
	if m := device.Mode().Perm(); m&0o007 != 0 {
		t.Errorf("%s has mode %o", abi.Device, m)
	}
	err = filepath.WalkDir(sysfs, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if info.Mode().Perm()&0o444 == 0 {
			return nil // a request, not a value
		}
		if strings.Contains(readFile(t, path), "ffff") && filepath.Base(path) != "build_id" {
			t.Errorf("%s: %q looks like an address", path, readFile(t, path))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	parameters, err := os.ReadDir(moduleDir + "/parameters")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parameters {
		if info, err := p.Info(); err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("parameter %s: %v, mode %o", p.Name(), err, info.Mode().Perm())
		}
	}
}
