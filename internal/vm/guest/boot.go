package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"apkern/internal/vm/wire"
)

// Boot does what must be done before anything else: it mounts what Linux shows of
// itself, and inserts the modules that were given to the guest.
func Boot() error {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"},
	} {
		if err := mount(m.kind, m.kind, m.at, 0, ""); err != nil {
			return err
		}
	}
	return loadModules()
}

// loadModules inserts the guest's own modules in the order of their names.
func loadModules() error {
	files, err := filepath.Glob(ModuleDir + "/*")
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := insert(file, ""); err != nil && err != unix.EEXIST {
			return fmt.Errorf("insert %s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

// insert is insmod(8).
func insert(file, params string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), params, 0)
}

// mount creates the directory at and mounts there. A kind's name as source is
// what mount(8) shows for file systems without a device.
func mount(source, kind, at string, flags uintptr, options string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, at, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", kind, at, err)
	}
	return nil
}

// openChannels opens the host's four ports.
func openChannels() (Channels, error) {
	var ports [len(wire.Channels)]*os.File
	for i, name := range wire.Channels {
		dev, err := findPort(name)
		if err != nil {
			return Channels{}, err
		}
		if ports[i], err = os.OpenFile(dev, os.O_RDWR, 0); err != nil {
			return Channels{}, err
		}
	}
	return Channels{Control: ports[0], Stdin: ports[1], Stdout: ports[2], Stderr: ports[3]}, nil
}

// findPort returns the device file of the virtio-serial port called name. The
// kernel adds ports some time after the driver has been inserted.
func findPort(name string) (string, error) {
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return "", err
		}
		for _, file := range names {
			got, err := os.ReadFile(file)
			if err == nil && strings.TrimSpace(string(got)) == name {
				return "/dev/" + filepath.Base(filepath.Dir(file)), nil
			}
		}
	}
	return "", fmt.Errorf("no virtio port %s; has the kernel virtio_pci and virtio_console?", name)
}
