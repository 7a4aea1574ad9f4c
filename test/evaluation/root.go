package main

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"apkern/internal/bench/runner"
	"apkern/internal/vm/guest"
	"apkern/test/evaluation/job"
)

// libraryDir is where Debian's dynamic linker looks, beside others.
const libraryDir = "/lib/x86_64-linux-gnu"

// tree is an initial RAM file system in the making: contents by path.
type tree struct {
	records []cpio.Record
	have    map[string]bool
}

// addFile adds data as the file of that absolute path, with its directories.
func (t *tree) addFile(at string, data []byte, mode uint64) {
	t.addDir(path.Dir(at))
	if !t.have[at] {
		t.have[at] = true
		t.records = append(t.records, cpio.StaticFile(at[1:], string(data), mode))
	}
}

func (t *tree) addDir(at string) {
	if at == "/" || t.have[at] {
		return
	}
	t.addDir(path.Dir(at))
	t.have[at] = true
	t.records = append(t.records, cpio.Directory(at[1:], 0o755))
}

// addHost adds a file of the host.
func (t *tree) addHost(at, file string, mode uint64) error {
	data, err := os.ReadFile(file)
	if err == nil {
		t.addFile(at, data, mode)
	}
	return err
}

// addProgram adds a program of the host, with its interpreter and libraries.
func (t *tree) addProgram(at, file string) error {
	if err := t.addHost(at, file, 0o755); err != nil {
		return err
	}
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			name := make([]byte, p.Filesz-1)
			if _, err := p.ReadAt(name, 0); err != nil {
				return err
			}
			if err := t.addHost(string(name), string(name), 0o755); err != nil {
				return err
			}
		}
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range libraries {
		if at := path.Join(libraryDir, name); !t.have[at] {
			if err := t.addProgram(at, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// addScratch adds the files that benchmarks read, the same for all who measure.
func (t *tree) addScratch() error {
	dir, err := os.MkdirTemp("", "apkern-evaluation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := runner.FillScratch(dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return t.addHost(job.ScratchDir+strings.TrimPrefix(file, dir), file, 0o644)
	})
}

// makeInitramfs writes the machine's root file system for a job.
func (b *builder) makeInitramfs(j *job.Job) ([]byte, error) {
	t := &tree{have: map[string]bool{}}
	t.addDir("/dev")
	// Process 1 is started with its streams on this device.
	t.records = append(t.records, cpio.CharDev("dev/console", 0o600, 5, 1))
	text, err := json.MarshalIndent(j, "", " ")
	if err != nil {
		return nil, err
	}
	t.addFile(job.File, text, 0o644)
	for _, f := range []struct {
		at, file string
		mode     uint64
	}{
		{guest.InitPath, b.init, 0o755}, {job.SourceFile, b.programs + "/source.i", 0o644},
		{guest.LibraryPath, b.library, 0o755}, {guest.InsertPath, b.module, 0o644},
	} {
		if ours := f.file == b.library || f.file == b.module; ours && j.System != job.Apkern {
			continue // a change of them changes nothing there
		}
		if err := t.addHost(f.at, f.file, f.mode); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"together", "cycles", "radix", "fft", "lu"} {
		if err := t.addProgram(path.Join(job.ProgramsDir, name), filepath.Join(b.programs, name)); err != nil {
			return nil, err
		}
	}
	cc1, err := exec.Command("gcc", "-print-prog-name=cc1").Output()
	if err != nil {
		return nil, fmt.Errorf("gcc: %w", err)
	}
	for _, f := range [][2]string{
		{job.Compiler, strings.TrimSpace(string(cc1))}, {"/bin/find", "/usr/bin/find"}, {"/bin/gzip", "/usr/bin/gzip"},
	} {
		if err := t.addProgram(f[0], f[1]); err != nil {
			return nil, err
		}
	}
	if err := t.addScratch(); err != nil {
		return nil, err
	}
	var out strings.Builder
	archive := cpio.Newc.Writer(&out)
	if err := cpio.WriteRecords(archive, t.records); err != nil {
		return nil, err
	}
	err = cpio.WriteTrailer(archive)
	return []byte(out.String()), err
}
