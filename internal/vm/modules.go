package vm

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"apkern/internal/vm/wire"
)

// guestModules are what the guest's init needs; modprobe's names.
func guestModules(sharing wire.Sharing) []string {
	return append([]string{"virtio_pci", "virtio_console", "overlay"}, sharingModules[sharing]...)
}

var sharingModules = map[wire.Sharing][]string{
	wire.NineP:    {"9pnet_virtio", "9p"},
	wire.VirtioFS: {"virtiofs"},
}

// sharing is how the kernel's guest gets the host's files: by 9p, for which QEMU
// needs no other program and no privilege, unless the kernel has only virtiofs,
// as Debian's for clouds. One of which nothing is known is taken to have 9p.
func (k Kernel) sharing() (wire.Sharing, error) {
	if k.Modules == "" {
		return wire.NineP, nil
	}
	has := map[string]bool{}
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		data, err := os.ReadFile(filepath.Join(k.Modules, list))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("modules of %s: %w", k.Release, err)
		}
		for line := range strings.Lines(string(data)) {
			file, _, _ := strings.Cut(line, ":")
			has[moduleName(file)] = true
		}
	}
	hasAll := func(sharing wire.Sharing) bool {
		return !slices.ContainsFunc(sharingModules[sharing], func(name string) bool { return !has[name] })
	}
	if hasAll(wire.VirtioFS) && !hasAll(wire.NineP) {
		return wire.VirtioFS, nil
	}
	return wire.NineP, nil
}

// ModuleFile is one module to load.
type ModuleFile struct {
	Name string // file name without compression, as "9p.ko"
	Data []byte // not compressed
}

// loadOrder returns the files, relative to dir, of the modules called names
// and of all they depend on, in the order of loading. A name that dir does not
// have is left out: it is built into the kernel, or the guest will say what it
// misses. modules.dep(5) names a module's dependencies on its line, those to
// be loaded first last.
func loadOrder(dir string, names []string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	chains := map[string][]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		file, deps, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			return nil, fmt.Errorf("%s: line without a colon: %q", f.Name(), lines.Text())
		}
		chain := strings.Fields(deps)
		slices.Reverse(chain)
		chains[moduleName(file)] = append(chain, file)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	var order []string
	for _, name := range names {
		for _, file := range chains[moduleName(name)] {
			if !slices.Contains(order, file) {
				order = append(order, file)
			}
		}
	}
	return order, nil
}

// moduleName is a module's name as modprobe compares it.
func moduleName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// ReadModules reads, unpacked, the modules of a kernel that are called names
// and all that they depend on, in the order of loading. A name that the kernel
// does not have as a module is left out.
func ReadModules(k Kernel, names []string) ([]ModuleFile, error) {
	if k.Modules == "" {
		return nil, nil
	}
	order, err := loadOrder(k.Modules, names)
	if err != nil {
		return nil, fmt.Errorf("modules of %s: %w", k.Release, err)
	}
	files := make([]ModuleFile, 0, len(order))
	for _, file := range order {
		data, err := readModule(filepath.Join(k.Modules, file))
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", file, err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".ko")
		files = append(files, ModuleFile{name + ".ko", data})
	}
	return files, nil
}

// readModule reads one module file, compressed or not.
func readModule(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errors.New("is empty")
	}
	if filepath.Ext(file) == ".ko" {
		return data, nil
	}
	return decompress(data)
}
