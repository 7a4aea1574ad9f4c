// Command mkimage makes apkern's disk image, and the initramfs that it holds:
//
//	mkimage initramfs -kernel FILE -busybox FILE -init FILE OUT
//	mkimage disk -root FILE -uuid UUID -work DIR OUT
//	mkimage root-partition
//
// The last prints the GUID that the root file system's partition will have.
// image/image.mk calls it. Times in the image are SOURCE_DATE_EPOCH's.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"apkern/internal/diskimage"
	"apkern/internal/vm"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "mkimage: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "initramfs":
			return initramfs(args[1:])
		case "disk":
			if os.Getenv("SOURCE_DATE_EPOCH") == "" {
				return errors.New("SOURCE_DATE_EPOCH is not set: two images would differ")
			}
			return makeDisk(args[1:])
		case "root-partition":
			fmt.Println(strings.ToLower(diskimage.RootPartition))
			return nil
		}
	}
	return errors.New("usage: mkimage initramfs|disk|root-partition …; see the source's first lines")
}

// drivers are what the stock kernel needs to find its root file system, on the
// disks that machines and emulators have.
var drivers = []string{"virtio_pci", "virtio_blk", "ata_piix", "ahci", "nvme", "xhci_pci", "ehci_pci",
	"usb_storage", "uas", "sd_mod", "ext4", "crc32c_generic"}

func initramfs(args []string) error {
	f := flag.NewFlagSet("initramfs", flag.ExitOnError)
	kernel := f.String("kernel", "", "the kernel's `FILE`")
	busybox := f.String("busybox", "/bin/busybox", "a static busybox")
	init := f.String("init", "", "the script for process 1")
	_ = f.Parse(args)
	if f.NArg() != 1 {
		return errors.New("initramfs: name one output file")
	}
	k, err := vm.FindKernel(*kernel, "")
	if err != nil {
		return err
	}
	modules, err := vm.ReadModules(k, drivers)
	if err != nil {
		return err
	}
	records := []cpio.Record{
		cpio.Directory("dev", 0o755), cpio.Directory("proc", 0o755), cpio.Directory("sys", 0o755),
		cpio.Directory("root", 0o755), cpio.Directory("bin", 0o755), cpio.Directory("modules", 0o755),
		cpio.CharDev("dev/console", 0o600, 5, 1),
	}
	for i, m := range modules {
		records = append(records, cpio.StaticFile(fmt.Sprintf("modules/%02d-%s", i, m.Name), string(m.Data), 0o644))
	}
	for _, file := range []struct{ from, to string }{{*busybox, "bin/busybox"}, {*init, "init"}} {
		data, err := os.ReadFile(file.from)
		if err != nil {
			return err
		}
		records = append(records, cpio.StaticFile(file.to, string(data), 0o755))
	}
	return writeCPIO(f.Arg(0), records)
}

func writeCPIO(file string, records []cpio.Record) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	archive := cpio.Newc.Writer(w)
	err = errors.Join(cpio.WriteRecords(archive, records), cpio.WriteTrailer(archive), w.Flush(), out.Close())
	if err != nil {
		_ = os.Remove(file)
	}
	return err
}

func makeDisk(args []string) error {
	f := flag.NewFlagSet("disk", flag.ExitOnError)
	root := f.String("root", "", "ext4 file system")
	uuid := f.String("uuid", "", "its UUID")
	work := f.String("work", "", "directory for intermediate files")
	_ = f.Parse(args)
	if f.NArg() != 1 {
		return errors.New("disk: name one output file")
	}
	return diskimage.WriteWithGRUB(f.Arg(0), *root, *uuid, *work)
}
