package guest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"apkern/internal/vm/wire"
)

// machine is the System of a real guest: what process 1 does.
type machine struct{}

// Prepare implements System.
func (*machine) Prepare(job *wire.Job, progress func(string)) error {
	progress("mounting the host's files")
	if err := mountRoot(job.Sharing); err != nil {
		return err
	}
	if err := mountSystem(rootDir); err != nil {
		return err
	}
	if err := mountShares(rootDir, job); err != nil {
		return err
	}
	if err := installFiles(); err != nil {
		return err
	}
	if job.Insert {
		progress("inserting apkern.ko")
		if err := InsertModule(job.Params); err != nil {
			return err
		}
	}
	if err := switchRoot(rootDir); err != nil {
		return err
	}
	if err := configure(); err != nil {
		return err
	}
	if st, err := os.Stat(job.Dir); err != nil || !st.IsDir() {
		return fmt.Errorf("the working directory %s does not exist in the guest; share it with --dir", job.Dir)
	}
	return nil
}

// installFiles makes the command and the startup library available.
func installFiles() error {
	if err := install(InitPath, rootDir+"/usr/local/bin/apkern", 0o755); err != nil {
		return err
	}
	err := install(LibraryPath, rootDir+"/lib/libstartup.so.1", 0o644)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// InsertModule inserts the module and, when Linux refuses, quotes what the
// module wrote into the kernel's log about it.
func InsertModule(params string) error {
	err := insert(InsertPath, params)
	if err == nil {
		return nil
	}
	if line := lastKernelLine("apkern"); line != "" {
		return fmt.Errorf("insert apkern.ko: %w; the kernel said: %s", err, line)
	}
	return fmt.Errorf("insert apkern.ko: %w", err)
}

// lastKernelLine returns the last line of the kernel's log that has word in it,
// without its time; "" when there is none.
func lastKernelLine(word string) string {
	buf := make([]byte, 1<<18)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil {
		return ""
	}
	lines := bytes.Split(buf[:n], []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		if !bytes.Contains(lines[i], []byte(word)) {
			continue
		}
		line := string(lines[i])
		if _, text, ok := strings.Cut(line, "] "); ok {
			line = text
		}
		return strings.TrimSpace(line)
	}
	return ""
}

// configure sets names, limits and the loopback interface.
func configure() error {
	if err := unix.Sethostname([]byte("apkern")); err != nil {
		return err
	}
	// Go has raised the soft limit of this process; the command gets what a
	// login on Debian has.
	files := syscall.Rlimit{Cur: 1024, Max: 1 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	return loopbackUp()
}

// loopbackUp is `ip link set lo up`; netdevice(7).
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// Wait implements System. Every orphan of the guest is this process's child,
// so it reaps them on the way.
func (*machine) Wait(pid int) (syscall.WaitStatus, error) {
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case got == pid:
			return ws, nil
		}
	}
}

// Finish implements System.
func (*machine) Finish() error {
	if err := syscall.Kill(-1, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		return err
	}
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.ECHILD {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes do not end on SIGKILL: %s", remaining())
		}
	}
	syscall.Sync()
	return nil
}

// remaining names the processes of user space that are left, for a message.
func remaining() string {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return err.Error()
	}
	var left []string
	for _, d := range dirs {
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		// A kernel thread has no executable.
		if _, exe := os.Readlink("/proc/" + d.Name() + "/exe"); err != nil || exe != nil || d.Name() == "1" {
			continue
		}
		if end := bytes.LastIndexByte(stat, ')'); end > 0 && len(stat) > end+2 {
			left = append(left, fmt.Sprintf("%s state %c", stat[:end+1], stat[end+2]))
		}
	}
	return strings.Join(left, ", ")
}
