package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"apkern/internal/diskimage"
)

// DiskRunner runs machines that boot a disk: QEMU or Bochs.
type DiskRunner interface {
	// RunDisk runs the machine until it is switched off, or has written
	// d.End. When ctx ends before, the error wraps its cause. However it
	// returns, no process and no file is left, and the disk is as d.Write says.
	RunDisk(ctx context.Context, d Disk) error
}

// Bochs is a DiskRunner that counts where QEMU is fast. It executes CPUs in
// turn, some instructions each, and its clock, the time-stamp counter included,
// advances by what one CPU executed of such a round: an instruction takes a
// tick, whatever it does. So figures do not depend on what else the host does,
// and a machine may have more CPUs than the host.
//
// It is single-threaded, and has BIOS and no input. It does not notice a write
// to a monitored line when the writer maps it at another address: the module
// wants idle=hlt.
type Bochs struct {
	// Rate is how many ticks are a second of the machine's other clocks; 0:
	// DefaultRate.
	Rate int
	// Parameters is what the boot menu finds as variable parameters.
	Parameters string
}

// DefaultRate is a Bochs' Rate, in Hz: that of a slow processor, since with
// it the machine is done sooner with waiting.
const DefaultRate = 60_000_000

const bochsCommand = "bochs"

// bochsRoms is where Debian has the machine's BIOS.
const bochsRoms = "/usr/share/bochs"

// RunDisk implements DiskRunner.
func (b Bochs) RunDisk(ctx context.Context, d Disk) error {
	if d.Write || d.Firmware != "" || d.Stdin != nil {
		return errors.New("a machine of Bochs has a BIOS, no input, and does not write to the disk")
	}
	dir, err := os.MkdirTemp("", "apkern-bochs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args, err := b.prepare(dir, d)
	if err != nil {
		return err
	}
	return runBochs(ctx, args, d)
}

// prepare makes the machine's files in dir and returns Bochs' arguments.
func (b Bochs) prepare(dir string, d Disk) ([]string, error) {
	program, err := exec.LookPath(bochsCommand)
	if err != nil {
		return nil, errors.New("bochs is not installed: apt-get install bochs bochs-term bochsbios vgabios")
	}
	disk, config, commands := filepath.Join(dir, "disk.img"), filepath.Join(dir, "bochsrc"), filepath.Join(dir, "commands")
	if err := copyDisk(d.File, disk, d.Entry, b.Parameters); err != nil {
		return nil, err
	}
	text, err := b.config(d, disk, filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	// The build has the debugger, which is told to continue.
	err = errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(commands, []byte("c\n"), 0o600))
	return []string{program, "-q", "-f", config, "-rc", commands}, err
}

// copyDisk copies a disk, with an entry of its menu chosen in the copy, which
// Bochs wants to be of whole cylinders, since it derives a geometry.
func copyDisk(from, to, entry, parameters string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if entry != "" {
		if err := diskimage.ChooseEntry(data, entry, parameters); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	const cylinder = 16 * 63 * 512
	whole := (int64(len(data)) + cylinder - 1) / cylinder * cylinder
	return errors.Join(os.WriteFile(to, data, 0o600), os.Truncate(to, whole))
}

// The real-time clock begins at the same time in every run.
const bochsConfig = `config_interface: textconfig
display_library: term
romimage: file=` + bochsRoms + `/BIOS-bochs-latest
vgaromimage: file=` + bochsRoms + `/VGABIOS-lgpl-latest
cpu: count=1:%d:1, ips=%d, model=%s, reset_on_triple_fault=0
memory: guest=%d, host=%[4]d
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=1767225600
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=%[5]q, mode=flat
boot: disk
com1: enabled=1, mode=file, dev=/dev/fd/%[6]d
log: %[7]q
panic: action=fatal
`

// config is the configuration file.
func (b Bochs) config(d Disk, disk, log string) (string, error) {
	memory, err := mebibytes(d.Memory)
	if err != nil {
		return "", err
	}
	rate := b.Rate
	if rate == 0 {
		rate = DefaultRate
	}
	return fmt.Sprintf(bochsConfig, d.CPUs, rate, d.CPUModel, memory, disk, firstExtraFile, log), nil
}

// mebibytes reads QEMU's syntax of a size.
func mebibytes(size string) (int, error) {
	m := regexp.MustCompile(`^([0-9]+)([MG])$`).FindStringSubmatch(size)
	if m == nil {
		return 0, fmt.Errorf("memory %q: write it as 512M or 1G", size)
	}
	n, err := strconv.Atoi(m[1])
	if m[2] == "G" {
		n *= 1024
	}
	return n, err
}

// runBochs runs it, and passes on what the machine writes to its serial port.
func runBochs(ctx context.Context, args []string, d Disk) error {
	port, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer port.Close()
	var p process
	err = p.start(args[0], args[1:], []*os.File{theirs}, nil)
	if err := errors.Join(err, theirs.Close()); err != nil {
		return fmt.Errorf("start %s: %w", bochsCommand, err)
	}
	defer p.kill()
	read := make(chan error, 1)
	out := &untilText{w: outputWriter{d.Stdout}, end: d.End}
	go func() {
		_, err := io.Copy(out, port)
		read <- err
	}()
	select {
	case err := <-read:
		switch {
		case errors.Is(err, errEndText):
			return nil
		case err != nil:
			return err
		}
		<-p.ended
		return &Failure{Reason: complaint(p.stderr.String())}
	case <-ctx.Done():
		return deadline(ctx)
	}
}

// complaint is why Bochs ended.
func complaint(stderr string) string {
	const begins = "Bochs is exiting with the following message:\n"
	if _, after, ok := strings.Cut(stderr, begins); ok {
		line, _, _ := strings.Cut(after, "\n")
		return bochsCommand + ": " + line
	}
	return bochsCommand + " ended: " + lastLine([]byte(stderr))
}

var errEndText = errors.New("the text came")

// untilText passes on what is written until a line has come that ends with a
// text; then it fails with errEndText.
type untilText struct {
	w    io.Writer
	end  string // "": none
	line []byte // the last one, as far as it has come
}

func (u *untilText) Write(p []byte) (int, error) {
	if n, err := u.w.Write(p); err != nil {
		return n, err
	}
	for _, c := range p {
		if c != '\n' {
			u.line = append(u.line, c)
			continue
		}
		if u.end != "" && strings.HasSuffix(strings.TrimRight(string(u.line), "\r"), u.end) {
			return 0, errEndText
		}
		u.line = u.line[:0]
	}
	return len(p), nil
}
