package vm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

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

// Accelerators of QEMU.
const (
	accelKVM = "kvm"
	accelTCG = "tcg,thread=multi"
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
	process  *os.Process
	channels [len(wire.Channels)]*os.File
	stderr   bytes.Buffer  // valid when ended
	exit     error         // how it ended, likewise
	ended    chan struct{} // closed when the process has been waited for
	kill     sync.Once
}

func startQEMU(program, accel string, s Spec) (*qemu, error) {
	m := &qemu{}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	for i := range m.channels {
		ours, their, err := socketPair(wire.Channels[i])
		if err != nil {
			m.closeChannels()
			return nil, err
		}
		m.channels[i] = ours
		theirs = append(theirs, their)
	}
	return m, m.start(program, qemuArgs(accel, s), theirs)
}

// start starts the process with the other ends of its channels, which are
// closed when it fails.
func (m *qemu) start(program string, args []string, theirs []*os.File) error {
	m.ended = make(chan struct{})
	cmd := exec.Command(program, args...)
	cmd.ExtraFiles = theirs
	cmd.Stderr = &m.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // the terminal's signals are for us to pass on
		Pdeathsig: syscall.SIGKILL,
	}
	started := make(chan error)
	go m.live(cmd, started)
	if err := <-started; err != nil {
		m.closeChannels()
		return fmt.Errorf("start %s: %w", qemuCommand, err)
	}
	return nil
}

// live starts QEMU and stays with it. The kernel sends the death signal when
// the thread that started the child ends, so this one must last as long.
func (m *qemu) live(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	m.process = cmd.Process
	started <- err
	if err != nil {
		return
	}
	m.exit = cmd.Wait()
	close(m.ended)
}

// Channels implements Machine.
func (m *qemu) Channels() Channels {
	return Channels{Control: m.channels[0], Stdin: m.channels[1], Stdout: m.channels[2], Stderr: m.channels[3]}
}

// Wait implements Machine.
func (m *qemu) Wait() string {
	<-m.ended
	return lastLine(m.stderr.Bytes())
}

// Kill implements Machine.
func (m *qemu) Kill() {
	m.kill.Do(func() {
		_ = m.process.Kill() // fails when it has ended
		<-m.ended
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
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-accel", accel,
		"-cpu", s.CPUModel,
		"-smp", fmt.Sprint(s.CPUs),
		"-m", s.Memory,
		"-kernel", s.Kernel,
		"-initrd", s.Initramfs,
		"-append", s.CmdLine,
		"-chardev", "file,id=console,path=" + option(s.Console),
		"-serial", "chardev:console",
		"-device", "virtio-serial-pci",
	}
	const firstExtraFile = 3
	for i, name := range wire.Channels {
		args = append(args,
			"-chardev", fmt.Sprintf("socket,id=ch%d,fd=%d", i, firstExtraFile+i),
			"-device", fmt.Sprintf("virtserialport,chardev=ch%d,name=%s", i, name))
	}
	if s.GDB != "" {
		args = append(args, "-gdb", "tcp:"+option(s.GDB))
	}
	args = append(args, share(guest.RootTag, s.Root, ",readonly=on")...)
	for _, d := range s.Shares {
		args = append(args, share(d.Tag, d.Path, "")...)
	}
	return args
}

// share gives the guest a host directory by 9p. Below it may be mount points,
// hence the remapping of inode numbers.
func share(tag, path, more string) []string {
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
