package kimage

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"apkern/abi"
)

// sample are the segments of a small image.
func sample() []segment {
	return []segment{
		{imageBase, []byte("text of more than nothing"), 0x1234, abi.SegR | abi.SegX},
		{imageBase + 0x2000, []byte("rodata"), 6, abi.SegR},
		{imageBase + 0x3000, nil, 0x5000, abi.SegR | abi.SegW},
		{linesBase, bytes.Repeat([]byte("line"), 2000), 8000, abi.SegR},
	}
}

func TestBlobRoundTrip(t *testing.T) {
	blob, err := encode(imageBase+4, sample())
	if err != nil {
		t.Fatal(err)
	}
	h, err := Decode(blob)
	if err != nil {
		t.Fatal(err)
	}
	if h.Entry != imageBase+4 || int(h.Segments) != len(sample()) {
		t.Errorf("entry %#x and %d segments", h.Entry, h.Segments)
	}
	for i, want := range sample() {
		s := h.Segment[i]
		if s.VA != want.va || s.MemSize != want.memSize || s.Flags != want.flags {
			t.Errorf("segment %d is %+v, want %+v", i, s, want)
		}
		if got := blob[s.Offset:][:s.FileSize]; !bytes.Equal(got, want.data) {
			t.Errorf("segment %d holds %q, want %q", i, got, want.data)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(h *abi.Blob)
	}{
		{"magic", func(h *abi.Blob) { h.Magic++ }},
		{"hand-over version", func(h *abi.Blob) { h.Version++ }},
		{"the header says", func(h *abi.Blob) { h.Size-- }},
		{"0 segments", func(h *abi.Blob) { h.Segments = 0 }},
		{"9 segments", func(h *abi.Blob) { h.Segments = abi.BlobSegments + 1 }},
		{"do not match the build id", func(h *abi.Blob) { h.BuildID[31]++ }},
		{"page aligned", func(h *abi.Blob) { h.Segment[1].VA += 8 }},
		{"page aligned", func(h *abi.Blob) { h.Segment[1].Offset += 8 }},
		{"writable and executable", func(h *abi.Blob) { h.Segment[0].Flags |= abi.SegW }},
		{"flags", func(h *abi.Blob) { h.Segment[1].Flags = abi.SegX }},
		{"flags", func(h *abi.Blob) { h.Segment[1].Flags |= 8 }},
		{"in memory", func(h *abi.Blob) { h.Segment[1].MemSize = 5 }},
		{"leave the blob", func(h *abi.Blob) { h.Segment[1].Offset = pageUp(h.Size) }},
		{"leave the blob", func(h *abi.Blob) { h.Segment[1].FileSize, h.Segment[1].MemSize = 1<<20, 1<<20 }},
		{"are not the image's", func(h *abi.Blob) { h.Segment[2].MemSize = abi.ImageMax }},
		{"are not the image's", func(h *abi.Blob) { h.Segment[2].MemSize = 1<<64 - 0x1000 }},
		{"are not the image's", func(h *abi.Blob) { h.Segment[2].VA = 0x1000 }},
		{"segment 1 overlaps segment 0", func(h *abi.Blob) { h.Segment[1].VA = imageBase + 0x1000 }},
		{"is not executable", func(h *abi.Blob) { h.Entry = h.Segment[1].VA }},
		{"is not executable", func(h *abi.Blob) { h.Entry = h.Segment[0].VA + h.Segment[0].FileSize }},
	} {
		blob, err := encode(imageBase, sample())
		if err != nil {
			t.Fatal(err)
		}
		h, err := Decode(blob)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&h)
		var changed bytes.Buffer
		if err := binary.Write(&changed, binary.LittleEndian, h); err != nil {
			t.Fatal(err)
		}
		_, err = Decode(append(changed.Bytes(), blob[headerSize:]...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := Decode([]byte("short")); err == nil {
		t.Error("a short blob is accepted")
	}
}

func TestEncodeTooManySegments(t *testing.T) {
	if _, err := encode(imageBase, make([]segment, abi.BlobSegments+1)); err == nil {
		t.Error("accepted")
	}
}

// FuzzDecode tries headers over contents that match their hash: none makes
// Decode panic, and what it accepts lies in the blob.
func FuzzDecode(f *testing.F) {
	blob, err := encode(imageBase, sample())
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := Decode(blob)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob[:headerSize])
	f.Fuzz(func(t *testing.T, header []byte) {
		var h abi.Blob
		if binary.Read(bytes.NewReader(header), binary.LittleEndian, &h) != nil {
			return
		}
		h.Magic, h.Version, h.Size, h.BuildID = sealed.Magic, sealed.Version, sealed.Size, sealed.BuildID
		var changed bytes.Buffer
		if err := binary.Write(&changed, binary.LittleEndian, h); err != nil {
			t.Fatal(err)
		}
		data := append(changed.Bytes(), blob[headerSize:]...)
		if h, err = Decode(data); err != nil {
			return
		}
		for _, s := range h.Segment[:h.Segments] {
			_ = data[s.Offset:][:s.FileSize]
		}
	})
}

// TestLinesProperty compares the table with the list of lines it was built from.
func TestLinesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type place struct {
			file string
			line int
		}
		text := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) place {
			if line := rapid.IntRange(0, 3).Draw(t, "line"); line > 0 {
				return place{rapid.SampledFrom([]string{"kernel/a.go", "kernel/b.s"}).Draw(t, "file"), line}
			}
			return place{}
		}), 1, 60).Draw(t, "text")
		var b lineBuilder
		for i, p := range text {
			b.add(imageBase+uint64(i), p.file, p.line)
		}
		b.add(imageBase+uint64(len(text)), "", 0)
		table, err := b.encode()
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range append(text, place{}) {
			file, line, err := LookupLine(table, imageBase+uint64(i))
			if err != nil || file != p.file || line != p.line {
				t.Fatalf("byte %d: %s:%d, %v; want %v", i, file, line, err, p)
			}
		}
	})
}

func TestLookupLineRefuses(t *testing.T) {
	var b lineBuilder
	b.add(imageBase, "kernel/a.go", 1)
	table, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range table {
		if _, _, err := LookupLine(table[:n], imageBase); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(table))
		}
	}
}
