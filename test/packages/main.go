// Command packages installs apkern's Debian packages in a virtual machine with
// a stock Debian, and uses, upgrades and removes them there. It prints the
// transcript, and fails unless every step of guest.sh did what it must:
//
//	go run ./test/packages -root DIR -old DIR -new DIR [-files FILE,...]
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// passed is the last line of a transcript in which nothing failed.
const passed = "== all steps passed"

func main() {
	var t trial
	flag.StringVar(&t.root, "root", "build/packages/root", "`DIR` with a Debian, as root.sh makes it")
	flag.StringVar(&t.old, "old", "", "`DIR` with the packages to begin with")
	flag.StringVar(&t.new, "new", "", "`DIR` with the packages of a newer version")
	flag.StringVar(&t.files, "files", "", "more `FILES` for the machine, with commas between")
	flag.StringVar(&t.console, "console", "build/packages/console.log", "`FILE` for what the kernel says")
	limit := flag.Duration("timeout", 90*time.Minute, "end the machine after this `TIME`")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	if err := t.run(ctx, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "packages: %v\n", err)
		os.Exit(1)
	}
}

type trial struct {
	root, old, new string
	files          string
	console        string
}

func (t *trial) run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "apkern-packages-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk := filepath.Join(dir, "packages.ext4")
	if err := t.makeDisk(ctx, filepath.Join(dir, "content"), disk); err != nil {
		return err
	}
	return t.boot(ctx, disk, out)
}

// makeDisk makes a file system with the script, the packages and more files.
func (t *trial) makeDisk(ctx context.Context, content, disk string) error {
	copies := map[string]string{"test/packages/guest.sh": content + "/guest.sh"}
	for name, dir := range map[string]string{"old": t.old, "new": t.new} {
		files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("no packages in %q: run make packages", dir)
		}
		for _, f := range files {
			copies[f] = filepath.Join(content, name, filepath.Base(f))
		}
	}
	for _, f := range strings.FieldsFunc(t.files, func(r rune) bool { return r == ',' }) {
		copies[f] = filepath.Join(content, filepath.Base(f))
	}
	for from, to := range copies {
		data, err := os.ReadFile(from)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o755))
		}
		if err != nil {
			return err
		}
	}
	mkfs := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", content, disk, "64M")
	if output, err := mkfs.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, output)
	}
	return nil
}

// boot runs the machine and copies its transcript. Nothing that it writes stays.
func (t *trial) boot(ctx context.Context, disk string, out io.Writer) error {
	drive := func(file string) string { return "if=virtio,format=raw,snapshot=on,file=" + file }
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	machine := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-smp", "4", "-m", "2G",
		"-drive", drive(filepath.Join(t.root, "disk.ext4")), "-drive", drive(disk),
		"-kernel", filepath.Join(t.root, "vmlinuz"), "-initrd", filepath.Join(t.root, "initrd"),
		"-append", "root=/dev/vda rw console=ttyS1 maxcpus=3 tsc=reliable",
		"-serial", "stdio", "-serial", "file:"+t.console)
	machine.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	machine.WaitDelay = time.Second
	var complaint strings.Builder
	machine.Stderr = &complaint
	transcript, err := machine.StdoutPipe()
	if err != nil {
		return err
	}
	if err := machine.Start(); err != nil {
		return err
	}
	verdict := follow(transcript, out)
	ended := machine.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("the machine took too long; its console is in %s", t.console)
	}
	if ended != nil {
		return fmt.Errorf("QEMU: %w: %s", ended, strings.TrimSpace(complaint.String()))
	}
	return verdict
}

// follow copies a transcript and returns what it says in the end.
func follow(transcript io.Reader, out io.Writer) error {
	last := ""
	failed := []string{}
	lines := bufio.NewScanner(transcript)
	for lines.Scan() {
		// Of what was shown in one line one after the other, only the last stays.
		last = strings.TrimRight(lines.Text(), "\r")
		last = last[strings.LastIndexByte(last, '\r')+1:]
		fmt.Fprintln(out, last)
		if reason, ok := strings.CutPrefix(last, "FAILED: "); ok {
			failed = append(failed, reason)
		}
	}
	switch {
	case lines.Err() != nil:
		return lines.Err()
	case len(failed) > 0:
		return errors.New("failed: " + strings.Join(failed, "; "))
	case last != passed:
		return errors.New("the transcript ends early")
	}
	return nil
}
