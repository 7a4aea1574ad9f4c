package guest

import (
	"fmt"
	"testing"
	"unsafe"

	"apkern/abi"

	"golang.org/x/sys/unix"
)

// openDevice opens /dev/apkern for the length of a test.
func openDevice(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(abi.Device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("%s: %v", abi.Device, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// ioctl makes a request with a structure, right or wrong, and returns the error.
func ioctl[T any](fd int, request uintptr, arg *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
		return errno
	}
	return nil
}

// adoptRequest, infoRequest and injectRequest are filled as they should be.
func adoptRequest() abi.Adopt {
	return abi.Adopt{Size: uint32(unsafe.Sizeof(abi.Adopt{})), Version: abi.Version}
}

func infoRequest() abi.Info {
	return abi.Info{Size: uint32(unsafe.Sizeof(abi.Info{})), Version: abi.Version}
}

func injectRequest(cpu int, command uint32) abi.Inject {
	return abi.Inject{Size: uint32(unsafe.Sizeof(abi.Inject{})), Version: abi.Version, CPU: uint32(cpu), Command: command}
}

// openHelper opens the device as whoever runs it and prints what comes of it.
func openHelper() int {
	fd, err := unix.Open(abi.Device, unix.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	unix.Close(fd)
	fmt.Println("opened")
	return 0
}
