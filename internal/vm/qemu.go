package vm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"apkern/internal/vm/guest"
	"apkern/internal/vm/wire"
)

// QEMU is the Hypervisor that runs qemu-system-x86_64.
type QEMU struct {
	// CacheDir is where it remembers whether KVM works.
	CacheDir string
}

const qemuCommand = "qemu-system-x86_64"

// Accelerators of QEMU. TCG keeps at most so many MiB of translated code: a write to a
// page goes through all that was ever translated from it and not thrown away since,
// which is what it does when there is no more room. Programs at random addresses are
// translated anew each time they start, and with the default, 1 GiB, a page of the C
// library's that Linux then uses for something else takes minutes to clear.
const (
	accelKVM = "kvm"
	accelTCG = "tcg,thread=multi,tb-size=128"
)

// Start implements Hypervisor.
func (q QEMU) Start(s Spec) (Machine, error) {
	program, err := findQEMU()
	if err != nil {
		return nil, err
	}
	accel := q.accelerator(program, func(accel string) (*qemu, error) { return startQEMU(program, accel, s) })
	return startQEMU(program, accel, s)
}

func findQEMU() (string, error) {
	program, err := exec.LookPath(qemuCommand)
	if err != nil {
		err = fmt.Errorf("%s is not installed: apt-get install qemu-system-x86", qemuCommand)
	}
	return program, err
}

// qemu is a running QEMU.
type qemu struct {
	process
	channels [len(wire.Channels)]*os.File
	servers  []*fileServer // of the directories it shares, if by virtiofs
	once     sync.Once     // for Kill
}

func startQEMU(program, accel string, s Spec) (*qemu, error) {
	m := &qemu{}
	var theirs []*os.File
	defer func() { closeFiles(theirs) }()
	for i := range m.channels {
		ours, their, err := socketPair(wire.Channels[i])
		if err != nil {
			m.closeChannels()
			return nil, err
		}
		m.channels[i] = ours
		theirs = append(theirs, their)
	}
	if s.Sharing == wire.VirtioFS {
		servers, err := startFileServers(virtiofsd, s)
		if err != nil {
			m.closeChannels()
			return nil, err
		}
		m.servers = servers
		for _, f := range servers {
			theirs = append(theirs, f.socket)
		}
	}
	return m, m.run(program, qemuArgs(accel, s), theirs)
}

// run starts the program with the other ends of its channels. When it fails,
// nothing is left of the machine.
func (m *qemu) run(program string, args []string, theirs []*os.File) error {
	if err := m.start(program, args, theirs, nil); err != nil {
		m.closeChannels()
		endFileServers(m.servers)
		return fmt.Errorf("start %s: %w", qemuCommand, err)
	}
	for _, f := range m.servers {
		go m.endWith(f)
	}
	return nil
}

// endWith ends the machine when a server of its files fails: the guest would
// wait for them for ever.
func (m *qemu) endWith(f *fileServer) {
	if <-f.ended; f.exit != nil {
		m.kill()
	}
}

// Channels implements Machine.
func (m *qemu) Channels() Channels {
	return Channels{Control: m.channels[0], Stdin: m.channels[1], Stdout: m.channels[2], Stderr: m.channels[3]}
}

// Wait implements Machine.
func (m *qemu) Wait() string {
	<-m.ended
	for _, f := range m.servers {
		if said := f.failure(); said != "" {
			return said
		}
	}
	return lastLine(m.stderr.Bytes())
}

// Kill implements Machine.
func (m *qemu) Kill() {
	m.once.Do(func() {
		m.kill()
		endFileServers(m.servers)
		m.closeChannels()
	})
}

func (m *qemu) closeChannels() {
	for _, f := range m.channels {
		if f != nil {
			_ = f.Close()
		}
	}
}

// socketPair returns two connected sockets; ours waits in Go's poller.
func socketPair(name string) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}

// qemuArgs is the command line: a machine with nothing but CPUs, memory, a
// serial port, the four channels and the shared directories.
func qemuArgs(accel string, s Spec) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-accel", accel,
		"-cpu", s.CPUModel,
		"-smp", fmt.Sprintf("%d,threads=%d", s.CPUs, s.Threads),
		"-m", s.Memory,
		"-kernel", s.Kernel,
		"-initrd", s.Initramfs,
		"-append", tellTSC(accel, s.CmdLine),
		"-chardev", "file,id=console,path=" + option(s.Console),
		"-serial", "chardev:console",
		"-device", "virtio-serial-pci",
	}
	for i, name := range wire.Channels {
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=ch%d,fd=%d", i, firstExtraFile+i),
			"-device", fmt.Sprintf("virtserialport,chardev=ch%d,name=%s", i, name))
	}
	if !s.Reboots {
		args = append(args, "-no-reboot")
	}
	if s.GDB != "" {
		args = append(args, "-gdb", "tcp:"+option(s.GDB))
	}
	if s.Sharing == wire.VirtioFS {
		fd := firstExtraFile + len(wire.Channels)
		args = append(args, sharedMemory(s.Memory)...)
		args = append(args, shareVirtioFS(guest.RootTag, fd)...)
		for i, d := range s.Shares {
			args = append(args, shareVirtioFS(d.Tag, fd+1+i)...)
		}
		return args
	}
	args = append(args, shareNineP(guest.RootTag, s.Root, ",readonly=on")...)
	for _, d := range s.Shares {
		args = append(args, shareNineP(d.Tag, d.Path, "")...)
	}
	return args
}

// shareNineP gives the guest a host directory by 9p. Below it may be mount
// points, hence the remapping of inode numbers.
func shareNineP(tag, path, more string) []string {
	return []string{
		"-fsdev", fmt.Sprintf("local,id=%s,path=%s,security_model=none,multidevs=remap%s", tag, option(path), more),
		"-device", fmt.Sprintf("virtio-9p-pci,fsdev=%s,mount_tag=%[1]s", tag),
	}
}

// option quotes a value for QEMU's comma-separated options.
func option(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// lastLine returns the last line with text in it.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
