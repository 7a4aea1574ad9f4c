package window

import (
	"unsafe"

	"apkern/abi"
)

// Lines is the post-link tool's line table (abi.LinesHeader and what follows).
type Lines struct {
	base    unsafe.Pointer
	entries uint32
	files   uint32
	names   uint32
}

const (
	linesHeader = unsafe.Sizeof(abi.LinesHeader{})
	lineSize    = unsafe.Sizeof(abi.Line{})
)

// OpenLines looks at the header at base, which must be readable. False: not a
// line table, or one that claims more than abi.LinesMax bytes.
func OpenLines(base unsafe.Pointer) (Lines, bool) {
	h := (*abi.LinesHeader)(base)
	size := uint64(linesHeader) + uint64(h.Entries)*uint64(lineSize) + uint64(h.Files)*4 + uint64(h.NamesSize)
	if h.Magic != abi.LinesMagic || size > abi.LinesMax {
		return Lines{}, false
	}
	return Lines{base, h.Entries, h.Files, h.NamesSize}, true
}

// Len returns the number of entries, which are sorted by PC.
func (l Lines) Len() int { return int(l.entries) }

// At returns entry i, which is below Len.
func (l Lines) At(i int) abi.Line {
	return *(*abi.Line)(unsafe.Add(l.base, linesHeader+uintptr(i)*lineSize))
}

// NameByte returns byte i of a file's name, 0 at its end and beyond.
func (l Lines) NameByte(file uint16, i int) byte {
	if uint32(file) >= l.files {
		return 0
	}
	offsets := unsafe.Add(l.base, linesHeader+uintptr(l.entries)*lineSize)
	at := uint64(*(*uint32)(unsafe.Add(offsets, uintptr(file)*4))) + uint64(i)
	if at >= uint64(l.names) {
		return 0
	}
	return *(*byte)(unsafe.Add(offsets, uintptr(l.files)*4+uintptr(at)))
}
