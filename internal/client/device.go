// Package client speaks with the module: typed calls to /dev/apkern, the
// statistics and logs that it maps, and its files in sysfs.
package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"apkern/abi"
	"apkern/internal/cpulist"
)

// ErrNotLoaded wraps fs.ErrNotExist: there is no module, and what to do.
var ErrNotLoaded = fmt.Errorf("the module is not loaded: insmod apkern.ko, or use apkern vm run%w", hidden{fs.ErrNotExist})

// hidden keeps an error for errors.Is where the text has said it already.
type hidden struct{ err error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.err }

// Device is an open /dev/apkern.
type Device struct{ file *os.File }

// Open opens the device. ErrNotLoaded when there is none.
func Open() (*Device, error) {
	f, err := os.OpenFile(abi.Device, os.O_RDONLY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return nil, ErrNotLoaded
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: it belongs to root and the group apkern", err)
	case err != nil:
		return nil, err
	}
	return &Device{f}, nil
}

// Close closes the device. What has been mapped stays mapped.
func (d *Device) Close() error { return d.file.Close() }

// Adopt adopts the calling thread; its later children are adopted too. It may
// use the application CPUs cpus (Linux numbers), none meaning all of them. The
// caller has locked its goroutine to the thread.
//
// EINVAL: cpus names a CPU that is not an application CPU.
func (d *Device) Adopt(cpus []int) error { return d.adopt(abi.IocAdopt, cpus) }

// AdoptExec adopts the calling thread when it next executes a program; else as
// Adopt.
func (d *Device) AdoptExec(cpus []int) error { return d.adopt(abi.IocAdoptExec, cpus) }

func (d *Device) adopt(request uintptr, cpus []int) error {
	a := abi.Adopt{Version: abi.Version}
	a.Size = uint32(unsafe.Sizeof(a))
	for _, c := range cpus {
		if c < 0 || c >= 64*len(a.CPUs) {
			return fmt.Errorf("CPU %d: %w", c, unix.EINVAL)
		}
		a.CPUs[c/64] |= 1 << (c % 64)
	}
	err := d.ioctl(request, unsafe.Pointer(&a))
	switch {
	case err == unix.EINVAL && len(cpus) > 0:
		return fmt.Errorf("CPU list %s names a CPU that is not an application CPU (apkern status lists them)%w",
			cpulist.Format(cpus), hidden{err})
	case err != nil:
		return fmt.Errorf("adoption: %w", err)
	}
	return nil
}

// Info returns the module's figures.
func (d *Device) Info() (abi.Info, error) {
	i := abi.Info{Version: abi.Version}
	i.Size = uint32(unsafe.Sizeof(i))
	if err := d.ioctl(abi.IocInfo, unsafe.Pointer(&i)); err != nil {
		return abi.Info{}, fmt.Errorf("%s: information: %w", abi.Device, err)
	}
	return i, nil
}

// Inject makes application CPU cpu (Linux number) fail as command says, one of
// abi.CmdCrashBounds and following. EPERM unless the module's parameter inject
// is set.
func (d *Device) Inject(cpu, command int) error {
	i := abi.Inject{Version: abi.Version, CPU: uint32(cpu), Command: uint32(command)}
	i.Size = uint32(unsafe.Sizeof(i))
	if err := d.ioctl(abi.IocInject, unsafe.Pointer(&i)); err != nil {
		return fmt.Errorf("%s: injection: %w", abi.Device, err)
	}
	return nil
}

// ioctl makes the request on the calling thread.
func (d *Device) ioctl(request uintptr, arg unsafe.Pointer) error {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg))
	})
	if err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}
