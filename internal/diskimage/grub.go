package diskimage

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Where GRUB's two first stages keep what an installer fills in
// (include/grub/i386/pc/boot.h and grub-core/boot/i386/pc/diskboot.S of GRUB 2).
const (
	bootCode       = 440   // of the first sector; the disk's signature and partitions follow
	kernelSector   = 0x5c  // 8 bytes: the sector of the core image
	driveCheck     = 0x66  // 2 bytes: a jump around a workaround for some BIOSes
	firstBlocklist = 0x1f4 // in the core image's first sector: start (8), sectors (2), segment (2)
	coreSegment    = 0x820 // where the second and later sectors are loaded
)

// writeBIOS writes the stages that a BIOS starts: boot.img into the first
// sector, around the partition table, and the core image into its partition.
func writeBIOS(w io.WriterAt, bootImg, coreImg string) error {
	boot, err := os.ReadFile(bootImg)
	if err != nil {
		return err
	}
	core, err := os.ReadFile(coreImg)
	if err != nil {
		return err
	}
	if len(boot) != sector || len(core) < 2*sector || len(core) > biosSize {
		return fmt.Errorf("%s (%d bytes) and %s (%d bytes) are not GRUB's boot and core image",
			bootImg, len(boot), coreImg, len(core))
	}
	const at = biosStart / sector
	binary.LittleEndian.PutUint64(boot[kernelSector:], at)
	copy(boot[driveCheck:], []byte{0x90, 0x90}) // two NOPs: trust what the BIOS says of the drive
	list := core[firstBlocklist:]
	binary.LittleEndian.PutUint64(list, at+1)
	binary.LittleEndian.PutUint16(list[8:], uint16((len(core)+sector-1)/sector-1))
	binary.LittleEndian.PutUint16(list[10:], coreSegment)
	if _, err := w.WriteAt(boot[:bootCode], 0); err != nil {
		return err
	}
	_, err = w.WriteAt(core, biosStart)
	return err
}
