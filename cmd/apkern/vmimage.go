package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"apkern/internal/cpulist"
	"apkern/internal/vm"
)

// imageFile is the disk image as make image leaves it in build, and a package
// in installDataDir.
const (
	imageFile      = "apkern.img"
	installDataDir = "/usr/share/apkern"
)

// firmwareDir is where UEFI for virtual machines is. Tests replace it.
var firmwareDir = vm.FirmwareDir

// imageEntries are the entries of the image's boot menu.
var imageEntries = []string{"up", "stock", "selftest", "selftest-stock"}

// errEscape ends the machine: the user typed so.
var errEscape = errors.New("ended from the terminal")

// imageOptions are the flags of vm image.
type imageOptions struct {
	cpus    int
	memory  string
	cpu     string
	entry   string
	uefi    bool
	write   bool
	timeout time.Duration
}

func vmImageCommand() *cobra.Command {
	var o imageOptions
	c := &cobra.Command{
		Use:   "image [flags] [FILE]",
		Short: "boot the disk image in a virtual machine",
		Long: `Boots apkern's disk image, or a disk that it was written to, in QEMU, with the
machine's serial console on this terminal: first the boot menu, then a shell.
The machine ends when it is switched off (poweroff), or at once by Ctrl-a x;
Ctrl-a Ctrl-a types a Ctrl-a. Without --write the disk itself is not changed:
what the machine writes there is gone when it ends.

FILE is by default image/` + imageFile + ` in ../build beside the directory of the
apkern executable, where make image leaves it, or ` + installDataDir + `/` + imageFile + `.

The exit status is 0 when the machine was switched off, and 125 when it failed
or took longer than --timeout.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			disk, err := o.disk(args)
			if err != nil {
				return err
			}
			return o.boot(disk)
		},
	}
	f := c.Flags()
	f.IntVar(&o.cpus, "cpus", 4, "number of CPUs; Linux takes one")
	f.StringVar(&o.memory, "memory", "1G", "memory `SIZE`")
	f.StringVar(&o.cpu, "cpu", "max", "QEMU's name of the CPU `MODEL`")
	f.StringVar(&o.entry, "entry", "", "take this `ENTRY` of the boot menu: "+strings.Join(imageEntries, ", "))
	f.BoolVar(&o.uefi, "uefi", false, "boot by UEFI, not by BIOS")
	f.BoolVar(&o.write, "write", false, "let the machine change the disk")
	f.DurationVar(&o.timeout, "timeout", 0, "end the machine after this `TIME`, as 90s or 5m")
	startsCommand(c)
	c.Flags().SetInterspersed(true) // no command follows that has flags of its own
	return c
}

// disk turns the command line into a machine, its streams not set.
func (o *imageOptions) disk(args []string) (*vm.Disk, error) {
	if o.cpus < 1 || o.cpus > cpulist.Max {
		return nil, fmt.Errorf("--cpus %d: from 1 to %d are possible", o.cpus, cpulist.Max)
	}
	if o.entry != "" && !slices.Contains(imageEntries, o.entry) {
		return nil, fmt.Errorf("--entry %s: the menu has %s", o.entry, strings.Join(imageEntries, ", "))
	}
	d := &vm.Disk{Write: o.write, Entry: o.entry, CPUs: o.cpus, Memory: o.memory, CPUModel: o.cpu}
	if o.uefi {
		d.Firmware = firmwareDir
	}
	var err error
	if len(args) == 1 {
		d.File = args[0]
	} else if d.File, err = findImage(); err != nil {
		return nil, err
	}
	return d, checkImage(d.File)
}

func findImage() (string, error) {
	files := []string{filepath.Join(installDataDir, imageFile)}
	if build, err := buildDir(); err == nil {
		files = slices.Insert(files, 0, filepath.Join(build, "image", imageFile))
	}
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			return f, nil
		}
	}
	return "", fmt.Errorf("no disk image %s: build it with make image, or name one", strings.Join(files, " or "))
}

// checkImage says what is wrong with a file that no firmware would boot.
func checkImage(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sector := make([]byte, 512)
	n, err := io.ReadFull(f, sector)
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case bytes.HasPrefix(sector, []byte("\xfd7zXZ\x00")):
		return fmt.Errorf("%s is compressed: run xz -dk %[1]s, and name the file that it makes", file)
	case n < len(sector) || !bytes.HasSuffix(sector, []byte{0x55, 0xaa}):
		return fmt.Errorf("%s is not the image of a disk that boots", file)
	}
	return nil
}

// boot runs the machine, its console on the standard streams.
func (o *imageOptions) boot(d *vm.Disk) error {
	ctx, cancel := machineContext(o.timeout)
	defer cancel(nil)
	interrupts := passSignals(cancel)
	go func() { cancel(&signalError{<-interrupts}) }()
	d.Stdin, d.Stdout = os.Stdin, os.Stdout
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		fmt.Fprintf(os.Stderr, "apkern: booting %s; Ctrl-a x ends the machine\n", d.File)
		cooked, err := term.MakeRaw(fd)
		if err != nil {
			return err
		}
		defer func() { _ = term.Restore(fd, cooked) }()
		d.Stdin = &escapeReader{r: os.Stdin, quit: func() { cancel(errEscape) }}
	}
	err := vm.QEMU{CacheDir: cacheDir()}.RunDisk(ctx, *d)
	if errors.Is(err, errEscape) {
		fmt.Fprint(os.Stderr, "\r\n")
		return nil
	}
	return runResult(0, err)
}
