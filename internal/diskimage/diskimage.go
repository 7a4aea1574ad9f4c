// Package diskimage lays out a disk that starts by BIOS and by UEFI: a GUID
// partition table, GRUB in both forms, and a root file system made elsewhere.
// Equal inputs give equal bytes.
package diskimage

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/disk"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

const (
	sector = 512
	mib    = 1 << 20

	biosStart, biosSize = 1 * mib, 1 * mib   // GRUB's core image, for BIOS
	espStart, espSize   = 2 * mib, 40 * mib  // 34 MB is the least that FAT32 takes
	rootStart           = espStart + espSize // up to one MiB before the end, where the second table is
)

// Identities, constant so that images are equal byte for byte. RootPartition is
// what the kernel finds its root file system by.
const (
	diskGUID      = "8F2A3C01-6B1D-4D0E-9A57-3D0C5E1F0A01"
	biosPartition = "8F2A3C01-6B1D-4D0E-9A57-3D0C5E1F0A02"
	espPartition  = "8F2A3C01-6B1D-4D0E-9A57-3D0C5E1F0A03"
	RootPartition = "8F2A3C01-6B1D-4D0E-9A57-3D0C5E1F0A04"
)

// Parts are what an image is made of. All are files.
type Parts struct {
	Root    string // ext4 file system, a whole number of MiB
	BootImg string // GRUB's boot.img for i386-pc
	CoreImg string // made by grub-mkimage -O i386-pc
	GrubEFI string // made by grub-mkimage -O x86_64-efi
}

// Write makes the image. On an error no file is left.
func Write(file string, p Parts) (err error) {
	root, err := os.Stat(p.Root)
	if err != nil {
		return err
	}
	if root.Size()%mib != 0 {
		return fmt.Errorf("%s is %d bytes, not a whole number of MiB", p.Root, root.Size())
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	d, err := diskfs.Create(file, rootStart+root.Size()+mib, diskfs.SectorSize512)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, d.Close())
		if err != nil {
			_ = os.Remove(file)
		}
	}()
	if err := d.Partition(table(root.Size())); err != nil {
		return err
	}
	if err := writeESP(d, p.GrubEFI); err != nil {
		return fmt.Errorf("EFI system partition: %w", err)
	}
	w, err := d.Backend.Writable()
	if err != nil {
		return err
	}
	if err := copyAt(w, p.Root, rootStart); err != nil {
		return err
	}
	return writeBIOS(w, p.BootImg, p.CoreImg)
}

func table(rootSize int64) *gpt.Table {
	part := func(i int, name string, kind gpt.Type, guid string, start, size int64) *gpt.Partition {
		return &gpt.Partition{
			Index: i, Name: name, Type: kind, GUID: guid,
			Start: uint64(start / sector), End: uint64((start+size)/sector - 1), Size: uint64(size),
		}
	}
	return &gpt.Table{
		LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true, GUID: diskGUID,
		Partitions: []*gpt.Partition{
			part(1, "BIOS boot", gpt.BIOSBoot, biosPartition, biosStart, biosSize),
			part(2, "EFI system", gpt.EFISystemPartition, espPartition, espStart, espSize),
			part(3, "apkern", gpt.LinuxFilesystem, RootPartition, rootStart, rootSize),
		},
	}
}

// writeESP makes the partition's file system, with GRUB where firmware looks
// on a disk that it does not know.
func writeESP(d *disk.Disk, grub string) error {
	fs, err := d.CreateFilesystem(disk.FilesystemSpec{
		Partition: 2, FSType: filesystem.TypeFat32, VolumeLabel: "APKERN-EFI", Reproducible: true,
	})
	if err != nil {
		return err
	}
	if err := fs.Mkdir("/EFI/BOOT"); err != nil {
		return err
	}
	data, err := os.ReadFile(grub)
	if err != nil {
		return err
	}
	f, err := fs.OpenFile("/EFI/BOOT/BOOTX64.EFI", os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// copyAt copies a file to an offset; blocks of zeros stay holes.
func copyAt(w io.WriterAt, file string, offset int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, mib)
	zero := string(make([]byte, mib))
	for {
		n, err := io.ReadFull(f, block)
		if n > 0 && string(block[:n]) != zero[:n] {
			if _, err := w.WriteAt(block[:n], offset); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
		offset += int64(n)
	}
}
