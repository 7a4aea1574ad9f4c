package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"apkern/internal/vm"
)

// machines boot an entry of an image's menu, write what its serial port says to
// a file, and return when the self-test is over. None changes the image.
var machines = map[string]func(image, entry, serial string) error{
	"bios":  func(image, entry, serial string) error { return qemu(image, entry, serial, "") },
	"uefi":  func(image, entry, serial string) error { return qemu(image, entry, serial, vm.FirmwareDir) },
	"bochs": bochs,
}

// limit ends a machine that hangs.
const limit = 4 * time.Minute

// qemu is what apkern vm image does.
func qemu(image, entry, serial, firmware string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	out, err := os.Create(serial)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = vm.QEMU{CacheDir: filepath.Join(cache, "apkern")}.RunDisk(ctx, vm.Disk{
		File: image, Entry: entry, Firmware: firmware,
		CPUs: cpus, Memory: "1G", CPUModel: "max", Stdout: out,
	})
	return errors.Join(err, out.Close())
}

// bochsConfig is a machine that executes its CPUs in turn, one
// instruction each.
const bochsConfig = `config_interface: textconfig
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: count=1:%d:1, ips=60000000, model=corei7_haswell_4770, reset_on_triple_fault=0
memory: guest=512, host=512
pci: enabled=1, chipset=i440fx
clock: sync=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=%q, mode=flat
boot: disk
com1: enabled=1, mode=file, dev=%q
log: %q
panic: action=fatal
`

// bochsParameters are for the module: Bochs does not notice a write to a
// monitored line when the writer maps it at another address.
const bochsParameters = "idle=hlt"

// bochs boots a copy, whose boot entry is chosen in GRUB's environment block.
func bochs(image, entry, serial string) error {
	dir := filepath.Dir(serial)
	disk := filepath.Join(dir, "disk.img")
	if err := prepare(image, disk, entry, bochsParameters); err != nil {
		return err
	}
	config, commands := filepath.Join(dir, "bochsrc"), filepath.Join(dir, "commands")
	text := fmt.Sprintf(bochsConfig, cpus, disk, serial, filepath.Join(dir, "bochs.log"))
	// The geometry that Bochs derives from a file wants whole cylinders.
	if err := errors.Join(growToCylinder(disk), os.WriteFile(config, []byte(text), 0o600),
		os.WriteFile(commands, []byte("c\n"), 0o600)); err != nil {
		return err
	}
	// The build has the debugger, and wants a terminal.
	cmd := exec.Command("script", "-qfc", fmt.Sprintf("bochs -q -f %s -rc %s", config, commands), "/dev/null")
	return watch(cmd, serial)
}

func growToCylinder(file string) error {
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	const cylinder = 16 * 63 * 512
	return os.Truncate(file, (st.Size()+cylinder-1)/cylinder*cylinder)
}

// watch runs Bochs until it ends, the self-test does, or time is up: when the
// machine is off, the process may go on.
func watch(cmd *exec.Cmd, serial string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &complaint, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}()
	for {
		select {
		case err := <-ended:
			ended <- err
			if over(serial) {
				return nil
			}
			return fmt.Errorf("the machine ended early (%v): %s", err, bytes.TrimSpace(complaint.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("the self-test did not end in %v", limit)
		case <-time.After(200 * time.Millisecond):
			if over(serial) {
				return nil
			}
		}
	}
}

func over(serial string) bool {
	text, err := os.ReadFile(serial)
	return err == nil && bytes.Contains(text, []byte(end))
}
