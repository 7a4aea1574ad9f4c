package kimage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"sort"
	"strings"

	"apkern/abi"
)

// Sizes of the table's parts (handover.h).
var (
	linesHeaderSize = binary.Size(abi.LinesHeader{})
	lineSize        = binary.Size(abi.Line{})
)

// lineTable returns the read-only segment by which a failing application kernel
// finds file and line of an address (struct apk_lines), and its number of
// entries. Stretches that hold no code of the application kernel have line 0.
func lineTable(img *image) (segment, int, error) {
	var b lineBuilder
	for _, fn := range img.functions {
		if !fn.ours() {
			continue
		}
		for pc := fn.start; pc < fn.end; pc++ {
			file, line, _ := img.lines.PCToLine(pc)
			b.add(pc, strings.TrimPrefix(file, modulePath), line)
		}
		b.add(fn.end, "", 0)
	}
	data, err := b.encode()
	return segment{va: linesBase, data: data, memSize: uint64(len(data)), flags: abi.SegR}, len(b.lines), err
}

// lineBuilder collects entries in the order of their addresses.
type lineBuilder struct {
	lines []abi.Line
	files []string
	index map[string]uint16
}

// add says that code at pc comes from line of file; line 0: from none.
func (b *lineBuilder) add(pc uint64, file string, line int) {
	e := abi.Line{PC: uint32(pc - imageBase)}
	if line > 0 && line <= math.MaxUint16 && file != "" {
		e.File, e.Line = b.file(file), uint16(line)
	}
	n := len(b.lines)
	if n > 0 && b.lines[n-1].PC == e.PC { // the next function begins where the last ended
		b.lines = b.lines[:n-1]
		n--
	}
	if n > 0 && b.lines[n-1].File == e.File && b.lines[n-1].Line == e.Line {
		return
	}
	b.lines = append(b.lines, e)
}

func (b *lineBuilder) file(name string) uint16 {
	i, ok := b.index[name]
	if !ok {
		if b.index == nil {
			b.index = map[string]uint16{}
		}
		i = uint16(len(b.files))
		b.index[name] = i
		b.files = append(b.files, name)
	}
	return i
}

// encode returns the table. It fails when it is larger than the application
// kernel's room for it.
func (b *lineBuilder) encode() ([]byte, error) {
	var names bytes.Buffer
	offsets := make([]uint32, len(b.files))
	for i, f := range b.files {
		offsets[i] = uint32(names.Len())
		names.WriteString(f + "\x00")
	}
	h := abi.LinesHeader{Magic: abi.LinesMagic, Entries: uint32(len(b.lines)),
		Files: uint32(len(b.files)), NamesSize: uint32(names.Len())}
	var out bytes.Buffer
	for _, part := range []any{h, b.lines, offsets, names.Bytes()} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	if len(b.files) > math.MaxUint16 || out.Len() > abi.LinesMax {
		return nil, fmt.Errorf("the line table has %d bytes, there is room for %d", out.Len(), abi.LinesMax)
	}
	return out.Bytes(), nil
}

// LookupLine returns file and line of the code at pc as a line table has it, ""
// and 0 if it is not the application kernel's.
func LookupLine(table []byte, pc uint64) (file string, line int, err error) {
	var h abi.LinesHeader
	r := bytes.NewReader(table)
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil || h.Magic != abi.LinesMagic {
		return "", 0, fmt.Errorf("not a line table")
	}
	size := linesHeaderSize + int(h.Entries)*lineSize + int(h.Files)*4 + int(h.NamesSize)
	if len(table) < size {
		return "", 0, fmt.Errorf("the line table has %d bytes, its header says %d", len(table), size)
	}
	lines := make([]abi.Line, h.Entries)
	offsets := make([]uint32, h.Files)
	if err := binary.Read(r, binary.LittleEndian, lines); err != nil {
		return "", 0, err
	}
	if err := binary.Read(r, binary.LittleEndian, offsets); err != nil {
		return "", 0, err
	}
	names := table[size-int(h.NamesSize) : size]
	i := sort.Search(len(lines), func(i int) bool { return imageBase+uint64(lines[i].PC) > pc })
	if i == 0 || lines[i-1].Line == 0 {
		return "", 0, nil
	}
	e := lines[i-1]
	if int(e.File) >= len(offsets) || int(offsets[e.File]) >= len(names) {
		return "", 0, fmt.Errorf("line table entry %d names file %d of %d", i-1, e.File, len(offsets))
	}
	name, _, _ := strings.Cut(string(names[offsets[e.File]:]), "\x00")
	return name, int(e.Line), nil
}
