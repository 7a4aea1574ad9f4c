package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"apkern/abi"
	"apkern/internal/client"
	"apkern/internal/vm"
	"apkern/internal/vm/vmfake"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"apkern": fakeMain})
}

// fakeMain is the command as the scripts see it: machines are fake, and sysfs
// is a directory of the script.
func fakeMain() {
	newHypervisor = func(string) vm.Hypervisor { return vmfake.Hypervisor{} }
	initProgram = func() (string, error) { return os.Getenv("WORK") + "/init", nil }
	firmwareDir = os.Getenv("WORK") + "/ovmf"
	openBenchMachine = fakeBenchMachine
	benchPrograms = func() (string, error) { return "/programs", nil }
	sysfs = client.SysfsAt(os.Getenv("WORK") + "/sysfs")
	os.Exit(execute())
}

// TestScripts runs the command lines of testdata/*.txt.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": statusCmd},
		Condition: func(cond string) (bool, error) {
			if cond != "loaded" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			_, err := os.Stat(abi.Device)
			return err == nil, nil
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			var errs []error
			for name, data := range map[string][]byte{
				"kernel": fakeKernel(), "init": fakeInit(), "disk.img": bootSector(), "disk.img.xz": []byte("\xfd7zXZ\x00"),
			} {
				errs = append(errs, os.WriteFile(filepath.Join(e.WorkDir, name), data, 0o700))
			}
			return errors.Join(errs...)
		},
	})
}

// statusCmd is the script command `status N CMD...`: CMD must exit with N and
// write nothing to stdout.
func statusCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N CMD [ARG]...")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("wrote to stdout: %q", out)
	}
}

// fakeKernel is enough of an ELF kernel to have a release.
func fakeKernel() []byte { return []byte(elf.ELFMAG + " Linux version 6.1.0-fake (x)") }

// fakeInit is the least statically linked program.
func fakeInit() []byte {
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, h) // a buffer does not fail
	return b.Bytes()
}
