package kimage

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"apkern/abi"
)

// tree writes the archives' files, later ones over earlier ones, into a new
// directory, and returns it with the last archive's other sections.
func tree(t *testing.T, archives ...string) (dir string, sections []txtar.File) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range archives {
		a, err := txtar.ParseFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		sections = a.Files
		for _, f := range a.Files {
			path := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, sections
}

func config(dir string) Config {
	return Config{Dir: dir, ELF: filepath.Join(dir, "out", "kernel.elf"), Blob: filepath.Join(dir, "out", "kernel.blob")}
}

// build builds the tree at dir, which must pass.
func build(t *testing.T, dir string) (blob []byte, elfPath string) {
	t.Helper()
	c := config(dir)
	if _, err := Build(c); err != nil {
		t.Fatal(err)
	}
	blob, err := os.ReadFile(c.Blob)
	if err != nil {
		t.Fatal(err)
	}
	return blob, c.ELF
}

func TestRefused(t *testing.T) {
	cases, err := filepath.Glob("testdata/refused/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			dir, sections := tree(t, "base.txtar", "refused/"+name)
			c := config(dir)
			_, err := Build(c)
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("not refused by a gate: %v", err)
			}
			for _, s := range sections {
				text := strings.TrimSpace(string(s.Data))
				if s.Name == "gate" && refusal.Gate != text {
					t.Errorf("refused by gate %q, want %q", refusal.Gate, text)
				}
				if s.Name == "want" && !strings.Contains(err.Error(), text) {
					t.Errorf("message lacks %q:\n%v", text, err)
				}
			}
			if _, err := os.Stat(c.Blob); err == nil {
				t.Error("a blob was written")
			}
		})
	}
}

func TestCompileError(t *testing.T) {
	dir, _ := tree(t, "base.txtar")
	if err := os.WriteFile(filepath.Join(dir, "kernel/work/more.go"), []byte("package work\nvar x int = \"\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Build(config(dir))
	var refusal *Error
	if err == nil || errors.As(err, &refusal) || !strings.Contains(err.Error(), "kernel/work/more.go:2") {
		t.Fatalf("got %v, want the compiler's message", err)
	}
}

// TestReproducible builds the same source in two directories.
func TestReproducible(t *testing.T) {
	a, _ := tree(t, "base.txtar")
	b, _ := tree(t, "base.txtar")
	blobA, _ := build(t, a)
	blobB, _ := build(t, b)
	if !bytes.Equal(blobA, blobB) {
		t.Fatal("two directories, two blobs")
	}
}

// TestSegments compares what a blob maps with what the linker laid out.
func TestSegments(t *testing.T) {
	dir, _ := tree(t, "base.txtar")
	blob, elfPath := build(t, dir)
	h, err := Decode(blob)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(elfPath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []string
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			want = append(want, fmt.Sprintf("%#x %#x %#x %v", p.Vaddr, p.Filesz, p.Memsz, p.Flags&elf.PF_W != 0))
		}
	}
	var got []string
	for _, s := range h.Segment[:h.Segments] {
		if s.VA == linesBase {
			continue
		}
		got = append(got, fmt.Sprintf("%#x %#x %#x %v", s.VA, s.FileSize, s.MemSize, s.Flags&abi.SegW != 0))
	}
	if !slices.Equal(got, want) {
		t.Errorf("segments %v, the ELF file has %v", got, want)
	}
	if h.Entry != f.Entry {
		t.Errorf("entry %#x, the ELF file has %#x", h.Entry, f.Entry)
	}
}

// TestRedirect looks into the blob where the runtime's fatal routines were.
func TestRedirect(t *testing.T) {
	dir, _ := tree(t, "base.txtar")
	blob, elfPath := build(t, dir)
	img, err := openImage(elfPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range required {
		symbol := fatalSymbol
		if strings.Contains(name, "morestack") {
			symbol = stackSymbol
		}
		va, want := img.find(name).start, img.find(symbol).start
		code := contents(t, blob, va, jumpSize)
		got := va + jumpSize + uint64(int64(int32(binary.LittleEndian.Uint32(code[1:]))))
		if code[0] != 0xe9 || got != want {
			t.Errorf("%s begins % x, which does not jump to %s", name, code, symbol)
		}
	}
}

// TestLines looks addresses of the image up in the blob's table.
func TestLines(t *testing.T) {
	dir, _ := tree(t, "base.txtar")
	blob, elfPath := build(t, dir)
	img, err := openImage(elfPath)
	if err != nil {
		t.Fatal(err)
	}
	table := lineSegment(t, blob)
	do := img.find(kernelPath + "work.Do")
	var bounds uint64
	for _, c := range img.calls(do) {
		if c.to.name == "runtime.gopanic" {
			bounds = c.pc
		}
	}
	for _, c := range []struct {
		what string
		pc   uint64
		file string
		line int
	}{
		{"the entry", img.entry, "kernel/entry/entry_amd64.s", 4},
		{"the panic", bounds, "kernel/work/work.go", 15},
		{"a runtime function", img.find("runtime.memmove").start, "", 0},
		{"before the image", imageBase, "", 0},
		{"after the image", imageBase + abi.ImageMax - 1, "", 0},
	} {
		file, line, err := LookupLine(table, c.pc)
		if err != nil || file != c.file || line != c.line {
			t.Errorf("%s: %s:%d, %v; want %s:%d", c.what, file, line, err, c.file, c.line)
		}
	}
}

// TestKernel builds the application kernel itself.
func TestKernel(t *testing.T) {
	out := t.TempDir()
	c := Config{Dir: "../..", ELF: filepath.Join(out, "kernel.elf"), Blob: filepath.Join(out, "kernel.blob")}
	sum, err := Build(c)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := os.ReadFile(c.Blob)
	if err != nil {
		t.Fatal(err)
	}
	file, line, err := LookupLine(lineSegment(t, blob), sum.Entry)
	if err != nil || line == 0 || !strings.HasPrefix(file, "kernel/entry/") {
		t.Errorf("the entry point is at %s:%d, %v", file, line, err)
	}
}

// contents returns n bytes of what a blob maps at va.
func contents(t *testing.T, blob []byte, va, n uint64) []byte {
	t.Helper()
	h, err := Decode(blob)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Segment[:h.Segments] {
		if va >= s.VA && va+n <= s.VA+s.FileSize {
			return blob[s.Offset+va-s.VA:][:n]
		}
	}
	t.Fatalf("nothing is mapped at %#x", va)
	return nil
}

func lineSegment(t *testing.T, blob []byte) []byte {
	t.Helper()
	h, err := Decode(blob)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Segment[:h.Segments] {
		if s.VA == linesBase {
			return blob[s.Offset:][:s.FileSize]
		}
	}
	t.Fatal("no line table")
	return nil
}
