package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// virtiofsd is where Debian 12 has the program that serves a guest's virtiofs.
const virtiofsd = "/usr/lib/qemu/virtiofsd"

// fileServer is a virtiofsd: it gives one machine one host directory. It ends
// by itself when its machine does.
type fileServer struct {
	process
	path   string
	socket *os.File // connected to it, for the machine
}

// startFileServers starts one for each directory that the machine gets, the
// root first. When it fails, none is left.
func startFileServers(program string, s Spec) ([]*fileServer, error) {
	if err := checkFileServer(program, os.Geteuid()); err != nil {
		return nil, err
	}
	servers := make([]*fileServer, 0, 1+len(s.Shares))
	start := func(path string, readOnly bool) error {
		f, err := startFileServer(program, path, readOnly)
		if err != nil {
			endFileServers(servers)
			return fmt.Errorf("share %s by virtiofs: %w", path, err)
		}
		servers = append(servers, f)
		return nil
	}
	if err := start(s.Root, true); err != nil {
		return nil, err
	}
	for _, d := range s.Shares {
		if err := start(d.Path, false); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// checkFileServer tells why the program cannot serve the user.
func checkFileServer(program string, user int) error {
	if user != 0 {
		return errors.New("the kernel has virtiofs but no 9p, and only root can share files by virtiofs: " +
			"use sudo, or take another kernel")
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("the kernel has virtiofs but no 9p, and there is no %s: "+
			"apt-get install qemu-system-common, or take another kernel", program)
	}
	return nil
}

// endFileServers ends them, if they have not ended.
func endFileServers(servers []*fileServer) {
	for _, f := range servers {
		_ = f.socket.Close() // it may be closed
		f.kill()
	}
}

func startFileServer(program, path string, readOnly bool) (*fileServer, error) {
	listener, socket, err := listeningPair()
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	f := &fileServer{path: path, socket: socket}
	// What is shared read-write the host changes too: the guest looks again.
	// Another sandbox than chroot cannot share the root directory.
	cache, prepare := "auto", (func() error)(nil)
	if readOnly {
		cache, prepare = "always", protectHost
	}
	args := []string{
		"-f", fmt.Sprintf("--fd=%d", firstExtraFile),
		"-o", "sandbox=chroot,log_level=err,cache=" + cache,
		"-o", "source=" + fuseOption(path),
	}
	if err := f.start(program, args, []*os.File{listener}, prepare); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return f, nil
}

// protectHost makes all the host's file systems read-only for the calling
// thread and the processes it starts. The server itself cannot refuse to write.
func protectHost() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("new mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	readOnly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &readOnly); err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	return nil
}

// listeningPair returns a socket that listens and one that is connected to it,
// which is how the server wants it. No name of them is left.
func listeningPair() (listener, client *os.File, err error) {
	dir, err := os.MkdirTemp("", "apkern-vm-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	name := unix.SockaddrUnix{Name: filepath.Join(dir, "socket")}
	var files [2]*os.File
	for i := range files {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			closeFiles(files[:i])
			return nil, nil, fmt.Errorf("socket: %w", err)
		}
		files[i] = os.NewFile(uintptr(fd), name.Name)
	}
	listening, connecting := int(files[0].Fd()), int(files[1].Fd())
	if err := unix.Bind(listening, &name); err != nil {
		closeFiles(files[:])
		return nil, nil, fmt.Errorf("bind %s: %w", name.Name, err)
	}
	if err := errors.Join(unix.Listen(listening, 1), unix.Connect(connecting, &name)); err != nil {
		closeFiles(files[:])
		return nil, nil, fmt.Errorf("connect %s: %w", name.Name, err)
	}
	return files[0], files[1], nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written
	}
}

// fuseOption quotes a value for FUSE's comma-separated options.
func fuseOption(value string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(value)
}

// failure says why the server ended, "" when it runs or was not to blame. The
// machine has ended.
func (f *fileServer) failure() string {
	select {
	case <-f.ended:
	case <-time.After(time.Second): // it is not what ended the machine
		return ""
	}
	if f.exit == nil {
		return ""
	}
	reason := lastLine(f.stderr.Bytes())
	if reason == "" {
		reason = f.exit.Error()
	}
	return fmt.Sprintf("sharing %s: virtiofsd: %s", f.path, reason)
}

// sharedMemory is what the machine's memory must be to let servers into it.
// Without a unit, QEMU's -m counts in megabytes, but a memory object in bytes.
func sharedMemory(size string) []string {
	if strings.Trim(size, "0123456789") == "" {
		size += "M"
	}
	return []string{
		"-object", "memory-backend-memfd,id=memory,share=on,size=" + option(size),
		"-machine", "memory-backend=memory",
	}
}

// shareVirtioFS gives the guest the directory of the server at descriptor fd.
func shareVirtioFS(tag string, fd int) []string {
	return []string{
		"-chardev", fmt.Sprintf("socket,id=%s,fd=%d", tag, fd),
		"-device", fmt.Sprintf("vhost-user-fs-pci,chardev=%s,tag=%[1]s", tag),
	}
}
