package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel is a Linux kernel to boot.
type Kernel struct {
	File    string // bzImage or ELF vmlinux
	Release string // what uname -r says there
	Modules string // its directory of modules; "" when it has none
}

// kernelFiles is where kernels and modules are looked up; a test has its own.
type kernelFiles struct{ root string }

// FindKernel returns the kernel that name means: a release of /boot, a file,
// or, when name is empty, the one that the module at modulePath was built for,
// else the running one, else the newest of /boot.
func FindKernel(name, modulePath string) (Kernel, error) {
	return kernelFiles{"/"}.find(name, modulePath)
}

func (k kernelFiles) find(name, modulePath string) (Kernel, error) {
	if name == "" {
		return k.choose(modulePath)
	}
	if strings.Contains(name, "/") {
		return k.file(name)
	}
	file := k.image(name)
	if _, err := os.Stat(file); err != nil {
		if _, err := os.Stat(name); err == nil {
			return k.file(name)
		}
		return Kernel{}, fmt.Errorf("no kernel %s; installed: %s (apt-get install linux-image-%[1]s, or name a file)",
			name, k.installedText())
	}
	return Kernel{File: file, Release: name, Modules: k.modules(name, file)}, nil
}

// choose is find without a name.
func (k kernelFiles) choose(modulePath string) (Kernel, error) {
	wanted := []string{}
	if r := moduleRelease(modulePath); r != "" {
		wanted = append(wanted, r)
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		wanted = append(wanted, unix.ByteSliceToString(uts.Release[:]))
	}
	installed := k.installed()
	slices.Reverse(installed)
	for _, r := range append(wanted, installed...) {
		if slices.Contains(installed, r) && k.modules(r, k.image(r)) != "" {
			return Kernel{File: k.image(r), Release: r, Modules: k.modules(r, k.image(r))}, nil
		}
	}
	return Kernel{}, errors.New("no kernel with modules in /boot: apt-get install linux-image-amd64, or name one with --kernel")
}

// file is find for a file.
func (k kernelFiles) file(name string) (Kernel, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return Kernel{}, fmt.Errorf("kernel: %w", err)
	}
	release, err := releaseOf(data)
	if err != nil {
		return Kernel{}, fmt.Errorf("kernel %s: %w", name, err)
	}
	return Kernel{File: name, Release: release, Modules: k.modules(release, name)}, nil
}

func (k kernelFiles) image(release string) string {
	return filepath.Join(k.root, "boot", "vmlinuz-"+release)
}

// modules returns the modules' directory of a release: beside the file, when
// that is in a package's unpacked tree (boot/, lib/modules/), or the host's.
func (k kernelFiles) modules(release, file string) string {
	for _, root := range []string{filepath.Join(filepath.Dir(file), ".."), k.root} {
		dir := filepath.Join(root, "lib/modules", release)
		if _, err := os.Stat(dir + "/modules.dep"); err == nil {
			return dir
		}
	}
	return ""
}

// installed lists the releases in /boot, oldest first.
func (k kernelFiles) installed() []string {
	files, _ := filepath.Glob(k.image("*")) // the pattern is well-formed
	releases := make([]string, 0, len(files))
	for _, f := range files {
		releases = append(releases, strings.TrimPrefix(filepath.Base(f), "vmlinuz-"))
	}
	slices.SortFunc(releases, compareReleases)
	return releases
}

func (k kernelFiles) installedText() string {
	if list := k.installed(); len(list) > 0 {
		return strings.Join(list, ", ")
	}
	return "none"
}

var releaseParts = regexp.MustCompile(`\d+|\D+`)

// compareReleases orders releases; runs of digits count as numbers.
func compareReleases(a, b string) int {
	return slices.CompareFunc(releaseParts.FindAllString(a, -1), releaseParts.FindAllString(b, -1),
		func(x, y string) int {
			m, errM := strconv.Atoi(x)
			n, errN := strconv.Atoi(y)
			if errM == nil && errN == nil {
				return m - n
			}
			return strings.Compare(x, y)
		})
}

// Fields of the setup header of a bzImage (Documentation/x86/boot.rst).
const (
	hdrSetupSects    = 0x1f1
	hdrMagic         = 0x202 // "HdrS"
	hdrVersion       = 0x206
	hdrKernelVersion = 0x20e // offset less 0x200 of a string
	hdrPayloadOffset = 0x248 // from the start of protected-mode code; since version 0x208
	hdrPayloadLength = 0x24c
	hdrEnd           = 0x250
)

func isBzImage(data []byte) bool {
	return len(data) > hdrEnd && string(data[hdrMagic:hdrMagic+4]) == "HdrS"
}

// releaseOf reads the release out of a bzImage or an ELF kernel.
func releaseOf(data []byte) (string, error) {
	var text []byte
	switch {
	case isBzImage(data):
		at := int(binary.LittleEndian.Uint16(data[hdrKernelVersion:])) + 0x200
		if at >= len(data) {
			return "", errors.New("damaged: its version is beyond its end")
		}
		text = data[at:min(at+256, len(data))]
	case bytes.HasPrefix(data, []byte(elf.ELFMAG)):
		const banner = "Linux version "
		at := bytes.Index(data, []byte(banner))
		if at < 0 {
			return "", errors.New("an ELF file, but not of Linux")
		}
		at += len(banner)
		text = data[at:min(at+256, len(data))]
	default:
		return "", errors.New("neither a bzImage nor an ELF kernel")
	}
	release, _, ok := bytes.Cut(text, []byte(" "))
	if !ok || len(release) == 0 {
		return "", errors.New("has no version in it")
	}
	return string(release), nil
}

// moduleRelease returns the release that a module was built for, "" when that
// cannot be found out.
func moduleRelease(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return ""
	}
	data, err := section.Data()
	if err != nil {
		return ""
	}
	for _, entry := range strings.Split(string(data), "\x00") {
		if magic, ok := strings.CutPrefix(entry, "vermagic="); ok {
			release, _, _ := strings.Cut(magic, " ")
			return release
		}
	}
	return ""
}
