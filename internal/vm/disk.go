package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Disk is a machine that boots a disk image as it is, by its firmware.
type Disk struct {
	File     string // raw image, or a disk's device
	Write    bool   // what the machine writes stays; else it is lost
	Entry    string // of apkern's boot menu; "": the menu asks
	Firmware string // directory of OVMF, for UEFI; "": BIOS
	CPUs     int
	Memory   string // QEMU's syntax: 2G
	CPUModel string // QEMU's name, or Bochs'
	End      string // the machine is done when a line ends so; "": when it is switched off

	// The first serial port.
	Stdin  io.Reader
	Stdout io.Writer
}

// FirmwareDir is where Debian has OVMF.
const FirmwareDir = "/usr/share/OVMF"

// Files of OVMF: the firmware, and the initial contents of its variables.
const (
	ovmfCode = "OVMF_CODE_4M.fd"
	ovmfVars = "OVMF_VARS_4M.fd"
)

// RunDisk implements DiskRunner.
func (q QEMU) RunDisk(ctx context.Context, d Disk) error {
	if err := d.checkFirmware(); err != nil {
		return err
	}
	program, err := findQEMU()
	if err != nil {
		return err
	}
	trial := d
	trial.Write = false
	accel := q.accelerator(program, func(accel string) (*qemu, error) { return startDisk(program, accel, trial) })
	m, err := startDisk(program, accel, d)
	if err != nil {
		return err
	}
	defer m.Kill()
	console := m.channels[0]
	if d.Stdin != nil {
		// It may outlive the machine in a read that does not return. That the
		// machine is gone shows on the other direction.
		go func() { _, _ = io.Copy(console, d.Stdin) }()
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(&untilText{w: outputWriter{d.Stdout}, end: d.End}, console)
		switch {
		case errors.Is(err, errEndText):
			err = nil
		case !errors.As(err, new(*OutputError)):
			<-m.ended
			err = m.failure()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return deadline(ctx)
	}
}

// deadline is the error for a machine that ctx ended.
func deadline(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return &Failure{Reason: cause.Error()}
	}
	return cause
}

// failure is why the machine ended, nil when it was switched off.
func (m *qemu) failure() error {
	if m.exit == nil {
		return nil
	}
	reason := lastLine(m.stderr.Bytes())
	if reason == "" {
		reason = qemuCommand + ": " + m.exit.Error()
	}
	return &Failure{Reason: reason}
}

func (d *Disk) checkFirmware() error {
	if d.Firmware == "" {
		return nil
	}
	for _, name := range []string{ovmfCode, ovmfVars} {
		_, err := os.Stat(filepath.Join(d.Firmware, name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("UEFI needs %s in %s: apt-get install ovmf", name, d.Firmware)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func startDisk(program, accel string, d Disk) (*qemu, error) {
	ours, theirs, err := socketPair("console")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	m := &qemu{}
	m.channels[0] = ours
	return m, m.run(program, diskArgs(accel, d), []*os.File{theirs})
}

// diskArgs is the command line: a machine with the disk, a serial port, and a
// screen that nobody sees, because firmware and boot loaders want one.
func diskArgs(accel string, d Disk) []string {
	snapshot := ",snapshot=on"
	if d.Write {
		snapshot = ""
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-vga", "std",
		"-accel", accel,
		"-cpu", d.CPUModel,
		"-smp", fmt.Sprint(d.CPUs),
		"-m", d.Memory,
		"-chardev", "socket,id=console,fd=3",
		"-serial", "chardev:console",
		"-drive", "if=virtio,format=raw,file=" + option(d.File) + snapshot,
	}
	if d.Entry != "" {
		// The menu looks for this; see image/files/boot/grub/grub.cfg.
		args = append(args, "-smbios", "type=1,family=apkern,sku="+option(d.Entry))
	}
	if d.Firmware != "" {
		args = append(args, "-machine", "q35",
			"-drive", flash(filepath.Join(d.Firmware, ovmfCode), "readonly=on"),
			"-drive", flash(filepath.Join(d.Firmware, ovmfVars), "snapshot=on"))
	}
	return args
}

func flash(file, how string) string {
	return "if=pflash,format=raw," + how + ",file=" + option(file)
}
