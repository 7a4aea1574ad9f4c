package guest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"apkern/internal/vm"
)

// Linux goes down while programs are away. These tests belong into boots of
// their own, of a machine that may reboot: each runs once before, and once after.

// afterwards tells whether this is the run after.
func afterwards(t *testing.T) bool {
	t.Helper()
	n := environmentNumber(t, vm.BootVariable, 0)
	if n < 1 || n > 2 {
		t.Fatalf("%s=%d: this test belongs into a boot with --reboot, and reboots once", vm.BootVariable, n)
	}
	return n == 2
}

// occupied loads the module and has a thread turn on each application CPU.
func occupied(t *testing.T) *victim {
	t.Helper()
	mustUnload(t)
	mustLoad(t, "stay=0")
	v := startVictim(t, preload, len(cpuList(t, "cpus")))
	seen := map[uint32]bool{}
	for i := range v.pages {
		seen[v.pages[i].apic] = true
	}
	if len(seen) != len(v.pages) {
		t.Fatalf("%d threads are on %d CPUs", len(v.pages), len(seen))
	}
	return v
}

// asEver checks that the CPUs can be taken, used and given back, as after any boot.
func asEver(t *testing.T) {
	t.Helper()
	log := openKernelLog(t)
	online := readFile(t, onlineFile)
	mustLoad(t, "stay=0")
	if got, want := readFile(t, sysfs+"/cpus"), readFile(t, sysfs+"/possible"); got != want {
		t.Errorf("the application CPUs are %s, not %s", got, want)
	}
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "50")
	mustUnload(t)
	if err := untouched(online); err != nil {
		t.Error(err)
	}
	for _, complaint := range log.complaints() {
		t.Errorf("kernel log: %s", complaint)
	}
}

// TestReboot: as reboot -f.
func TestReboot(t *testing.T) {
	if afterwards(t) {
		asEver(t)
		return
	}
	occupied(t)
	t.Fatal(syscall.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
}

// kexecWord is on the command line of a kernel that kexec started.
const kexecWord = "kexeced"

// TestKexec: as kexec -l and kexec -e.
func TestKexec(t *testing.T) {
	if afterwards(t) {
		if !slices.Contains(commandLine(t), kexecWord) {
			t.Fatal("the machine was reset; no kernel was started by kexec")
		}
		asEver(t)
		return
	}
	kexecLoad(t, 0, append(commandLine(t), kexecWord))
	occupied(t)
	t.Fatal(syscall.Reboot(unix.LINUX_REBOOT_CMD_KEXEC))
}

// turnsWord tells the kernel that dumps the crashed one where that had a thread's
// count of turns: a physical address.
const turnsWord = "turns="

// TestDump: a panic with a kernel loaded to dump the crashed one, as kexec -p and sysrq c.
// What the dump has of a thread that was turning away does not change any more.
func TestDump(t *testing.T) {
	if afterwards(t) {
		examineDump(t)
		return
	}
	v := occupied(t)
	words := slices.DeleteFunc(commandLine(t), func(w string) bool {
		return strings.HasPrefix(w, "crashkernel=") || strings.HasPrefix(w, "maxcpus=")
	})
	at := physical(t, unsafe.Pointer(&v.pages[0].turns))
	kexecLoad(t, unix.KEXEC_FILE_ON_CRASH, append(words, "nr_cpus=1", "reset_devices", fmt.Sprintf("%s%#x", turnsWord, at)))
	v.away(0)
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0); err != nil {
		t.Fatal(err)
	}
	t.Fatal("Linux goes on after a panic")
}

func commandLine(t *testing.T) []string { return strings.Fields(readFile(t, "/proc/cmdline")) }

// kexecLoad has Linux load this kernel once more, with these words on its command line.
func kexecLoad(t *testing.T, flags int, words []string) {
	t.Helper()
	kernel, err := vm.FindKernel(os.Getenv("KERNEL"), modulePath())
	if err != nil {
		t.Fatal(err)
	}
	config := vm.Config{Kernel: kernel, Init: "/usr/local/bin/apkern", Library: "/lib/libstartup.so.1"}
	var archive bytes.Buffer
	if err := config.WriteInitramfs(&archive); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "initramfs")
	if err := os.WriteFile(file, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	initramfs, err := os.Open(file) // Linux takes no file that somebody may write
	if err != nil {
		t.Fatal(err)
	}
	defer initramfs.Close()
	image, err := os.Open(kernel.File)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if err := unix.KexecFileLoad(int(image.Fd()), int(initramfs.Fd()), strings.Join(words, " "), flags); err != nil {
		if watched() && errors.Is(err, unix.ENOSYS) {
			t.Skip("the Linux that watches itself is built without kexec")
		}
		t.Fatalf("kexec_file_load %s: %v", kernel.File, err)
	}
}

// physical returns the physical address of something in this process.
func physical(t *testing.T, p unsafe.Pointer) int64 {
	t.Helper()
	const present, frame = 1 << 63, 1<<55 - 1
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := uintptr(os.Getpagesize())
	entry := make([]byte, 8)
	if _, err := f.ReadAt(entry, int64(uintptr(p)/size*8)); err != nil {
		t.Fatal(err)
	}
	e := binary.LittleEndian.Uint64(entry)
	if e&present == 0 {
		t.Fatal("the page is not there")
	}
	return int64(e&frame)*int64(size) + int64(uintptr(p)%size)
}

// examineDump looks at /proc/vmcore.
func examineDump(t *testing.T) {
	t.Helper()
	core, err := elf.Open("/proc/vmcore")
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	var memory uint64
	var at uint64
	for _, word := range commandLine(t) {
		if text, is := strings.CutPrefix(word, turnsWord); is {
			if at, err = strconv.ParseUint(text, 0, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	var there *elf.Prog
	for _, p := range core.Progs {
		switch {
		case p.Type == elf.PT_NOTE:
			notes, err := io.ReadAll(p.Open())
			if err != nil {
				t.Fatal(err)
			}
			if want := "OSRELEASE=" + release(t) + "\n"; !bytes.Contains(notes, []byte(want)) {
				t.Errorf("the notes of the dump lack %q", want)
			}
		case p.Type == elf.PT_LOAD:
			memory += p.Filesz
			if p.Paddr <= at && at < p.Paddr+p.Filesz {
				there = p
			}
		}
	}
	if there == nil {
		t.Fatalf("the dump lacks the address %#x: %+v", at, core.Progs)
	}
	turns := func() uint64 {
		count := make([]byte, 8)
		if _, err := there.ReadAt(count, int64(at-there.Paddr)); err != nil {
			t.Fatal(err)
		}
		return binary.LittleEndian.Uint64(count)
	}
	first := turns()
	if first == 0 {
		t.Error("the thread had not made one turn")
	}
	const watch = 2 * time.Second
	for end := time.Now().Add(watch); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if n := turns(); n != first {
			t.Fatalf("an application CPU goes on under the dump: %d turns, then %d", first, n)
		}
	}
	t.Logf("the dump has %d MiB, and %d turns of a thread that was away", memory>>20, first)
}
