package guest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"apkern/internal/vm/wire"
)

// RootTag is what mount(2) calls the host's root file system.
const RootTag = "root"

// Where the guest's root is put together, in the initial RAM file system.
const (
	lowerDir = "/lower"
	upperDir = "/upper"
	rootDir  = "/root"
)

// How a 9p mount caches. What virtiofs caches is its server's choice.
const (
	cacheAll  = "cache=loose"
	cacheMaps = "cache=mmap" // nothing but pages that are mapped
)

// mountHost mounts the host's directory that tag stands for. The size is that
// of the largest message of the virtio transport (net/9p/trans_virtio.c).
func mountHost(sharing wire.Sharing, tag, at string, flags uintptr, cache string) error {
	options := ""
	if sharing == wire.NineP {
		options = "trans=virtio,version=9p2000.L,msize=512000," + cache
	}
	return mount(tag, string(sharing), at, flags, options)
}

// mountRoot puts the host's root file system, read-only, under a tmpfs. The
// host's files do not change while the guest runs, as far as the guest is
// concerned: it may cache what it has read.
func mountRoot(sharing wire.Sharing) error {
	if err := mountHost(sharing, RootTag, lowerDir, unix.MS_RDONLY, cacheAll); err != nil {
		return err
	}
	if err := mount("tmpfs", "tmpfs", upperDir, 0, "mode=755"); err != nil {
		return err
	}
	for _, d := range []string{"/data", "/work"} {
		if err := os.Mkdir(upperDir+d, 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s/data,workdir=%[2]s/work", lowerDir, upperDir)
	return mount("overlay", "overlay", rootDir, 0, layers)
}

// mountSystem mounts what a Linux system has, below root. Some kernels lack the
// optional ones.
func mountSystem(root string) error {
	for _, m := range []struct {
		kind, at string
		flags    uintptr
		options  string
		optional bool
	}{
		{kind: "proc", at: "/proc", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{kind: "sysfs", at: "/sys", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{kind: "cgroup2", at: "/sys/fs/cgroup", optional: true},
		{kind: "debugfs", at: "/sys/kernel/debug", optional: true},
		{kind: "tracefs", at: "/sys/kernel/tracing", optional: true},
		{kind: "devtmpfs", at: "/dev", flags: unix.MS_NOSUID},
		{kind: "devpts", at: "/dev/pts", options: "gid=5,mode=620,ptmxmode=666", optional: true},
		{kind: "tmpfs", at: "/dev/shm", flags: unix.MS_NOSUID | unix.MS_NODEV, options: "mode=1777"},
		{kind: "mqueue", at: "/dev/mqueue", optional: true},
		{kind: "tmpfs", at: "/run", flags: unix.MS_NOSUID | unix.MS_NODEV, options: "mode=755"},
	} {
		if err := mount(m.kind, m.kind, root+m.at, m.flags, m.options); err != nil && !m.optional {
			return err
		}
	}
	for link, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
	} {
		if err := os.Symlink(target, root+"/dev/"+link); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// mountShares mounts the host's directories read-write. The host changes them
// too, so as little of them is cached as can be.
func mountShares(root string, job *wire.Job) error {
	for _, s := range job.Shares {
		if err := mountHost(job.Sharing, s.Tag, root+s.Path, 0, cacheMaps); err != nil {
			return err
		}
	}
	return nil
}

// switchRoot makes root the root file system of this process and all it starts.
func switchRoot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root file system: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	return os.Chdir("/")
}

// install puts a file of the initial RAM file system into the root that is
// being put together. What the host has at that place is hidden, not changed.
func install(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
