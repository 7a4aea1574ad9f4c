package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// machines boot a disk and return when the self-test is over.
var machines = map[string]func(dir, disk, serial string) error{
	"bios":  func(dir, disk, serial string) error { return qemu(dir, disk, serial) },
	"uefi":  uefi,
	"bochs": bochs,
}

// parameters of the module that a machine needs. Bochs does not notice a write to
// a monitored line when the writer maps it at another address.
var parameters = map[string]string{"bochs": "idle=hlt"}

// limit ends a machine that hangs.
const limit = 4 * time.Minute

func qemu(_, disk, serial string, more ...string) error {
	args := append([]string{
		"-nodefaults", "-no-reboot", "-display", "none", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-smp", fmt.Sprint(cpus), "-m", "1G", "-drive", "file=" + disk + ",format=raw,if=ide",
		"-serial", "file:" + serial, "-vga", "std",
	}, more...)
	return watch(exec.Command("qemu-system-x86_64", args...), serial)
}

func uefi(dir, disk, serial string) error {
	vars := filepath.Join(dir, "vars.fd")
	data, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.fd")
	if err == nil {
		err = os.WriteFile(vars, data, 0o600)
	}
	if err != nil {
		return err
	}
	return qemu(dir, disk, serial, "-machine", "q35",
		"-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
		"-drive", "if=pflash,format=raw,file="+vars)
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

func bochs(dir, disk, serial string) error {
	config, commands := filepath.Join(dir, "bochsrc"), filepath.Join(dir, "commands")
	text := fmt.Sprintf(bochsConfig, cpus, disk, serial, filepath.Join(dir, "bochs.log"))
	// The geometry that Bochs derives from a file wants whole cylinders.
	if err := errors.Join(growToCylinder(disk), os.WriteFile(config, []byte(text), 0o600),
		os.WriteFile(commands, []byte("c\n"), 0o600)); err != nil {
		return err
	}
	// The build has the debugger, and wants a terminal.
	cmd := exec.Command("script", "-qfc", fmt.Sprintf("bochs -q -f %s -rc %s", config, commands), "/dev/null")
	cmd.Stdin = nil
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

// watch runs a machine until it ends, the self-test does, or time is up. A
// machine that is off may go on as a process.
func watch(cmd *exec.Cmd, serial string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &complaint, &complaint
	group(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { kill(cmd); <-ended }()
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
