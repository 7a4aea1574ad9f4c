// Package kimage builds the application kernel's image: it links the Go packages
// below kernel/ into one freestanding ELF file, refuses code that would need the
// Go runtime, redirects the runtime's fatal routines to the application kernel's
// own, and packs the segments and a line table into the blob that the module
// embeds (struct apk_blob in abi/handover.h).
//
// Three gates stand between the source and the blob. Each refuses with an Error
// that names the file, the line and what to do:
//
//   - escape: a variable that would live on the heap. The compiler's flag -+
//     finds them (link.go).
//   - runtime: a call of anything outside the application kernel that is not on
//     a short list of leaf routines (calls.go, gates.go).
//   - initialiser: a package-level variable that needs code to run before main,
//     which nothing would run (gates.go).
package kimage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Config says what to build.
type Config struct {
	Dir  string // root of the Go module whose ./kernel/image is linked
	ELF  string // where the linked image goes, with symbols, for gdb and objdump
	Blob string // where the blob goes
}

// Summary describes a blob.
type Summary struct {
	Entry    uint64 // address
	Segments int
	Size     int // bytes
	Lines    int // entries of the line table
	BuildID  [32]byte
}

func (s Summary) String() string {
	return fmt.Sprintf("entry %#x, %d segments, %d bytes, %d lines, build %x",
		s.Entry, s.Segments, s.Size, s.Lines, s.BuildID[:6])
}

// Error is a refusal by one of the gates.
type Error struct {
	Gate     string   // "escape", "runtime" or "initialiser"
	Findings []string // one line each
}

func (e *Error) Error() string {
	return fmt.Sprintf("refused by the %s gate:\n\t%s", e.Gate, strings.Join(e.Findings, "\n\t"))
}

// Build links, checks and packs. The same source and toolchain give the same
// blob byte for byte, whatever the directory. The error is an *Error when a gate
// refused; no blob is written then.
func Build(c Config) (Summary, error) {
	elf, err := filepath.Abs(c.ELF) // the linker runs in c.Dir
	if err != nil {
		return Summary{}, err
	}
	if err := os.MkdirAll(filepath.Dir(elf), 0o755); err != nil {
		return Summary{}, err
	}
	if err := link(c.Dir, elf); err != nil {
		return Summary{}, err
	}
	blob, sum, err := pack(elf)
	if err != nil {
		return Summary{}, err
	}
	if err := os.MkdirAll(filepath.Dir(c.Blob), 0o755); err != nil {
		return Summary{}, err
	}
	return sum, os.WriteFile(c.Blob, blob, 0o644)
}

// pack turns a linked image into a blob.
func pack(elfPath string) ([]byte, Summary, error) {
	img, err := openImage(elfPath)
	if err != nil {
		return nil, Summary{}, err
	}
	if err := checkInitialisers(img); err != nil {
		return nil, Summary{}, err
	}
	fatal, err := checkRuntime(img)
	if err != nil {
		return nil, Summary{}, err
	}
	if err := redirect(img, fatal); err != nil {
		return nil, Summary{}, err
	}
	table, lines, err := lineTable(img)
	if err != nil {
		return nil, Summary{}, err
	}
	blob, err := encode(img.entry, append(img.segments, table))
	if err != nil {
		return nil, Summary{}, err
	}
	h, err := Decode(blob)
	if err != nil {
		return nil, Summary{}, fmt.Errorf("the blob just packed is not valid: %w", err)
	}
	return blob, Summary{h.Entry, int(h.Segments), len(blob), lines, h.BuildID}, nil
}
