package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"apkern/internal/vm"
)

// machines are what an image boots on.
func machines() (map[string]machine, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	qemu := vm.QEMU{CacheDir: filepath.Join(cache, "apkern")}
	return map[string]machine{
		"bios":  {qemu, vm.Disk{Memory: "1G", CPUModel: "max"}},
		"uefi":  {qemu, vm.Disk{Memory: "1G", CPUModel: "max", Firmware: vm.FirmwareDir}},
		"bochs": {vm.Bochs{Parameters: "idle=hlt"}, vm.Disk{Memory: "512M", CPUModel: "corei7_haswell_4770"}},
	}, nil
}

// machine is what differs between them.
type machine struct {
	vm.DiskRunner
	disk vm.Disk
}

// limit ends a machine that hangs.
const limit = 4 * time.Minute

// boot boots an entry of an image's menu, writes what its serial port says to
// a file, and returns when the self-test is over. The image is not changed.
func (m machine) boot(image, entry, serial string) error {
	out, err := os.Create(serial)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	d := m.disk
	d.File, d.Entry, d.CPUs, d.End, d.Stdout = image, entry, cpus, end, out
	return errors.Join(m.RunDisk(ctx, d), out.Close())
}
