package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"apkern/internal/diskimage"
	"apkern/test/evaluation/job"
)

// builder has what machines are made of: files of the host.
type builder struct {
	init     string                // test/evaluation/guest, statically linked
	programs string                // directory of test/evaluation/programs, built
	library  string                // libstartup.so.1
	module   string                // apkern.ko, for the Linux without SMP
	kernels  map[job.System]string // by what runs them
}

func newBuilder(build string) (*builder, error) {
	b := &builder{
		init: filepath.Join(build, "evaluation", "guest"), programs: filepath.Join(build, "evaluation", "programs"),
		library: filepath.Join(build, "libstartup.so.1"), module: filepath.Join(build, "up", "apkern.ko"),
		kernels: map[job.System]string{},
	}
	for system, dir := range map[job.System]string{job.Uniprocessor: "up-kernel", job.Apkern: "up-kernel", job.SMP: "smp-kernel"} {
		dir = filepath.Join(build, dir)
		release, err := os.ReadFile(filepath.Join(dir, "release"))
		if err != nil {
			return nil, fmt.Errorf("%w: run make evaluation", err)
		}
		b.kernels[system] = filepath.Join(dir, "boot", "vmlinuz-"+strings.TrimSpace(string(release)))
	}
	return b, nil
}

// Linux sleeps by HLT, since Bochs executes MWAIT as a loop, and has no doubt in the
// time-stamp counter.
const menu = `set timeout=0
menuentry evaluation {
	linux /boot/vmlinuz console=ttyS0,115200 loglevel=4 panic=-1 idle=halt tsc=reliable random.trust_cpu=on
	initrd /boot/initramfs
}
`

const rootUUID = "8f2a3c01-6b1d-4d0e-9a57-3d0c5e1f0a06"

// contents are what a disk is made of.
type contents struct {
	kernel, initramfs []byte
}

func (b *builder) contents(j *job.Job) (*contents, error) {
	kernel, err := os.ReadFile(b.kernels[j.System])
	if err != nil {
		return nil, err
	}
	initramfs, err := b.makeInitramfs(j)
	return &contents{kernel, initramfs}, err
}

// key is a word for all that decides what a run comes to.
func (c *contents) key(machine string) string {
	sum := sha256.New()
	for _, part := range []string{string(c.kernel), string(c.initramfs), menu, machine} {
		fmt.Fprintf(sum, "%d %s", len(part), part)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// writeDisk makes a disk that boots the job; dir is for what is needed on the way.
func (c *contents) writeDisk(file, dir string) error {
	stage := filepath.Join(dir, "stage")
	if err := os.MkdirAll(filepath.Join(stage, "boot", "grub"), 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"grub/grub.cfg": []byte(menu), "vmlinuz": c.kernel, "initramfs": c.initramfs} {
		if err := os.WriteFile(filepath.Join(stage, "boot", name), data, 0o644); err != nil {
			return err
		}
	}
	const mib = 1 << 20
	size := (len(c.kernel)+len(c.initramfs))/mib*11/10 + 8
	root := filepath.Join(dir, "root")
	// Equal contents, equal layout: GRUB takes as long to find things.
	cmd := exec.Command("mke2fs", "-q", "-t", "ext2", "-U", rootUUID, "-E", "hash_seed="+rootUUID, "-m", "0",
		"-d", stage, root, fmt.Sprintf("%dM", size))
	cmd.Env = append(os.Environ(), "E2FSPROGS_FAKE_TIME=1767225600", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w\n%s", err, text)
	}
	return diskimage.WriteWithGRUB(file, root, rootUUID, dir)
}
