package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// swapSize is more than the programs have: 64 MiB.
const swapSize = 64 << 20

// swapOn gives Linux something to swap to for the length of a test: a file in
// memory, by a loop device. All of the file is there from the beginning, so that
// swapping needs no memory, nor charges it to whoever swaps.
func swapOn(t *testing.T) {
	t.Helper()
	file := filepath.Join(mounted(t, "ramfs", ""), "swap")
	image := make([]byte, swapSize)
	copy(image, swapHeader())
	if err := os.WriteFile(file, image, 0o600); err != nil {
		t.Fatal(err)
	}
	device := loopDevice(t, file)
	path, err := unix.BytePtrFromString(device)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(path)), 0, 0); errno != 0 {
		t.Fatalf("swapon %s: %v", device, errno)
	}
	t.Cleanup(func() {
		if _, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(path)), 0, 0); errno != 0 {
			t.Errorf("swapoff %s: %v", device, errno)
		}
	})
}

// swapHeader is the first page of a swap area: union swap_header of
// include/linux/swap.h.
func swapHeader() []byte {
	const page, version, lastPage, magic = 4096, 1024, 1028, 4086
	h := make([]byte, page)
	h[version] = 1
	*(*uint32)(unsafe.Pointer(&h[lastPage])) = swapSize/page - 1
	copy(h[magic:], "SWAPSPACE2")
	return h
}

// loopDevice makes a block device of a file, for the length of a test.
func loopDevice(t *testing.T, file string) string {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("%v: the boot must load the kernel's module loop", err)
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Fatalf("a free loop device: %v", err)
	}
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer backing.Close()
	path := fmt.Sprintf("/dev/loop%d", n)
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(device.Fd()), unix.LOOP_SET_FD, int(backing.Fd())); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetInt(int(device.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		device.Close()
	})
	return path
}
