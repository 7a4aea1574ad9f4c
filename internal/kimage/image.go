package kimage

import (
	"debug/elf"
	"debug/gosym"
	"fmt"
	"slices"
	"strings"

	"apkern/abi"
)

// Addresses of abi as the processor sees them.
const (
	imageBase uint64 = 1<<64 + abi.Image
	linesBase uint64 = 1<<64 + abi.Lines
)

// segment is one mapped stretch of the image; data may be shorter than memSize.
type segment struct {
	va      uint64
	data    []byte
	memSize uint64
	flags   uint64 // abi.SegR, SegW, SegX
}

// function is a stretch of text with a name.
type function struct {
	name       string
	start, end uint64
	code       []byte // in its segment's data: writing it patches the image
}

// image is a linked application kernel in memory.
type image struct {
	entry     uint64
	segments  []segment
	functions []*function // sorted by start
	starts    map[uint64]*function
	names     map[string]*function
	data      []string // names of symbols that are not functions
	lines     *gosym.Table
}

func openImage(path string) (*image, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img := &image{entry: f.Entry, starts: map[uint64]*function{}, names: map[string]*function{}}
	if err := img.readSegments(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := img.readSymbols(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := img.readLines(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

func (img *image) readSegments(f *elf.File) error {
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		s := segment{va: p.Vaddr, data: make([]byte, p.Filesz), memSize: p.Memsz}
		for _, b := range []struct {
			elf elf.ProgFlag
			abi uint64
		}{{elf.PF_R, abi.SegR}, {elf.PF_W, abi.SegW}, {elf.PF_X, abi.SegX}} {
			if p.Flags&b.elf != 0 {
				s.flags |= b.abi
			}
		}
		if _, err := p.ReadAt(s.data, 0); err != nil {
			return fmt.Errorf("segment at %#x: %w", p.Vaddr, err)
		}
		img.segments = append(img.segments, s)
	}
	return nil
}

func (img *image) readSymbols(f *elf.File) error {
	symbols, err := f.Symbols()
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC {
			img.data = append(img.data, s.Name)
			continue
		}
		code := img.at(s.Value, s.Size)
		if code == nil {
			continue // marks such as runtime.etext
		}
		fn := &function{s.Name, s.Value, s.Value + s.Size, code}
		img.functions = append(img.functions, fn)
		img.starts[fn.start] = fn
		img.names[fn.name] = fn
	}
	slices.SortFunc(img.functions, func(a, b *function) int {
		if a.start < b.start {
			return -1
		}
		return 1
	})
	return nil
}

func (img *image) readLines(f *elf.File) error {
	s, text := f.Section(".gopclntab"), f.Section(".text")
	if s == nil || text == nil {
		return fmt.Errorf("no .gopclntab or .text section")
	}
	data, err := s.Data()
	if err != nil {
		return err
	}
	img.lines, err = gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	return err
}

// at returns size bytes of an executable segment's file contents, nil if they
// are not all there.
func (img *image) at(va, size uint64) []byte {
	for _, s := range img.segments {
		if s.flags&abi.SegX == 0 || va < s.va || size == 0 {
			continue
		}
		if off := va - s.va; off < uint64(len(s.data)) && size <= uint64(len(s.data))-off {
			return s.data[off : off+size : off+size]
		}
	}
	return nil
}

// find returns the function called name. Assembly functions that Go code also
// declares carry the suffix .abi0.
func (img *image) find(name string) *function {
	if fn := img.names[name]; fn != nil {
		return fn
	}
	return img.names[name+".abi0"]
}

// position returns "file:line" of an address, the file relative to the module.
func (img *image) position(pc uint64) string {
	file, line, _ := img.lines.PCToLine(pc)
	if line == 0 {
		return fmt.Sprintf("%#x", pc)
	}
	return fmt.Sprintf("%s:%d", strings.TrimPrefix(file, modulePath), line)
}

// ours tells code that the application kernel's packages brought: their own
// functions, the image's main, and what the compiler made for their types.
func (fn *function) ours() bool {
	name := strings.TrimPrefix(fn.name, "type:.eq.")
	return strings.HasPrefix(name, modulePath) || strings.HasPrefix(name, "main.")
}
