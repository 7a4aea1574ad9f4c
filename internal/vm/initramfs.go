package vm

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"apkern/internal/vm/guest"
)

// contents of a guest's initial RAM file system; paths on the host, "" for none.
type contents struct {
	init    string // the program for process 1: statically linked
	insert  string // apkern.ko, if it is to be inserted
	library string // libstartup.so.1
	modules []ModuleFile
}

// writeInitramfs writes it as a cpio archive, which the kernel unpacks.
func writeInitramfs(w io.Writer, c contents) error {
	records := []cpio.Record{
		cpio.Directory("dev", 0o755),
		// Process 1 is started with its streams on this device.
		cpio.CharDev("dev/console", 0o600, 5, 1),
		cpio.Directory(strings.TrimPrefix(guest.ModuleDir, "/"), 0o755),
	}
	for i, m := range c.modules {
		name := fmt.Sprintf("%s/%02d-%s", guest.ModuleDir[1:], i, m.Name)
		records = append(records, cpio.StaticFile(name, string(m.Data), 0o644))
	}
	for _, f := range []struct {
		from, to string
		mode     uint64
	}{{c.init, guest.InitPath, 0o755}, {c.insert, guest.InsertPath, 0o644}, {c.library, guest.LibraryPath, 0o644}} {
		if f.from == "" {
			continue
		}
		data, err := os.ReadFile(f.from)
		if err != nil {
			return err
		}
		records = append(records, cpio.StaticFile(f.to[1:], string(data), f.mode))
	}
	buffered := bufio.NewWriterSize(w, 1<<20)
	archive := cpio.Newc.Writer(buffered)
	if err := cpio.WriteRecords(archive, records); err != nil {
		return err
	}
	return errors.Join(cpio.WriteTrailer(archive), buffered.Flush())
}

// checkStatic refuses a program that cannot be process 1 of a guest, where
// there is no dynamic linker yet.
func checkStatic(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is dynamically linked and cannot start a guest: build it with CGO_ENABLED=0", file)
		}
	}
	return nil
}
