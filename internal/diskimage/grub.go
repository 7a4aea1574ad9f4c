package diskimage

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// Modules of GRUB: what both platforms need to find /boot on ext4, read the
// menu, and boot Linux.
var grubModules = []string{"part_gpt", "ext2", "normal", "linux", "echo", "test", "search", "search_fs_uuid",
	"serial", "terminal", "configfile", "loadenv", "smbios", "all_video", "reboot", "halt", "ls", "cat"}

// WriteWithGRUB makes an image whose root file system, an ext4 of that UUID, has
// GRUB's menu in /boot/grub/grub.cfg. GRUB itself is made of the host's; files
// that are needed on the way are left in work.
func WriteWithGRUB(file, root, uuid, work string) error {
	config := filepath.Join(work, "early.cfg")
	early := fmt.Sprintf("search.fs_uuid %s root\nset prefix=($root)/boot/grub\n", uuid)
	if err := os.WriteFile(config, []byte(early), 0o644); err != nil {
		return err
	}
	core, efi := filepath.Join(work, "core.img"), filepath.Join(work, "grub.efi")
	if err := makeGRUB("i386-pc", config, core, "biosdisk", "vga", "vbe"); err != nil {
		return err
	}
	if err := makeGRUB("x86_64-efi", config, efi, "efi_gop", "efi_uga", "fat"); err != nil {
		return err
	}
	return Write(file, Parts{
		Root: root, BootImg: "/usr/lib/grub/i386-pc/boot.img", CoreImg: core, GrubEFI: efi,
	})
}

func makeGRUB(platform, config, out string, more ...string) error {
	args := append([]string{"-O", platform, "-c", config, "-p", "/boot/grub", "-o", out}, grubModules...)
	cmd := exec.Command("grub-mkimage", append(args, more...)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("grub-mkimage for %s: %w\n%s", platform, err, text)
	}
	return nil
}
