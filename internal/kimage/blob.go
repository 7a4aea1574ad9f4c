package kimage

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"apkern/abi"
)

var headerSize = binary.Size(abi.Blob{})

func pageUp(n uint64) uint64 { return (n + abi.PageSize - 1) &^ (abi.PageSize - 1) }

// encode lays the segments out behind a header, each on a page boundary of the
// blob, and seals them with their hash. Decode says what is valid.
func encode(entry uint64, segments []segment) ([]byte, error) {
	if len(segments) > abi.BlobSegments {
		return nil, fmt.Errorf("the image has %d segments, the blob has room for %d", len(segments), abi.BlobSegments)
	}
	h := abi.Blob{Magic: abi.BlobMagic, Version: abi.HandoverVersion, Segments: uint32(len(segments)), Entry: entry}
	body := make([]byte, pageUp(uint64(headerSize))-uint64(headerSize))
	for i, s := range segments {
		h.Segment[i] = abi.Segment{VA: s.va, Offset: uint64(headerSize + len(body)),
			FileSize: uint64(len(s.data)), MemSize: s.memSize, Flags: s.flags}
		body = append(body, s.data...)
		body = append(body, make([]byte, pageUp(uint64(len(s.data)))-uint64(len(s.data)))...)
	}
	h.Size = uint64(headerSize + len(body))
	h.BuildID = sha256.Sum256(body)
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, h); err != nil {
		return nil, err
	}
	out.Write(body)
	return out.Bytes(), nil
}

// Decode returns a blob's header. It refuses what the module would refuse: a
// wrong magic, version, size or hash; a segment that is not page aligned, is
// both writable and executable, leaves the blob or its address range, or
// overlaps another; an entry point that is not in executable contents.
func Decode(blob []byte) (abi.Blob, error) {
	var h abi.Blob
	if err := binary.Read(bytes.NewReader(blob), binary.LittleEndian, &h); err != nil {
		return h, fmt.Errorf("%d bytes are too few for a header", len(blob))
	}
	switch {
	case h.Magic != abi.BlobMagic:
		return h, fmt.Errorf("magic %#x is not that of an application kernel", h.Magic)
	case h.Version != abi.HandoverVersion:
		return h, fmt.Errorf("hand-over version %d, this is %d", h.Version, abi.HandoverVersion)
	case h.Size != uint64(len(blob)):
		return h, fmt.Errorf("the header says %d bytes, there are %d", h.Size, len(blob))
	case h.Segments == 0 || h.Segments > abi.BlobSegments:
		return h, fmt.Errorf("%d segments", h.Segments)
	case h.BuildID != sha256.Sum256(blob[headerSize:]):
		return h, fmt.Errorf("the contents do not match the build id")
	}
	entered := false
	for i, s := range h.Segment[:h.Segments] {
		if err := checkSegment(s, h.Size); err != nil {
			return h, fmt.Errorf("segment %d: %w", i, err)
		}
		for j, o := range h.Segment[:i] {
			if s.VA < o.VA+pageUp(o.MemSize) && o.VA < s.VA+pageUp(s.MemSize) {
				return h, fmt.Errorf("segment %d overlaps segment %d", i, j)
			}
		}
		entered = entered || s.Flags&abi.SegX != 0 && h.Entry >= s.VA && h.Entry-s.VA < s.FileSize
	}
	if !entered {
		return h, fmt.Errorf("entry point %#x is not executable", h.Entry)
	}
	return h, nil
}

func checkSegment(s abi.Segment, blobSize uint64) error {
	switch {
	case s.VA%abi.PageSize != 0 || s.Offset%abi.PageSize != 0:
		return fmt.Errorf("address %#x or offset %#x is not page aligned", s.VA, s.Offset)
	case s.Flags&abi.SegW != 0 && s.Flags&abi.SegX != 0:
		return fmt.Errorf("writable and executable")
	case s.Flags&abi.SegR == 0 || s.Flags&^(abi.SegR|abi.SegW|abi.SegX) != 0:
		return fmt.Errorf("flags %#x", s.Flags)
	case s.FileSize > s.MemSize || s.MemSize == 0:
		return fmt.Errorf("%d bytes in the blob, %d in memory", s.FileSize, s.MemSize)
	case s.Offset > blobSize || s.FileSize > blobSize-s.Offset:
		return fmt.Errorf("offset %#x and size %#x leave the blob", s.Offset, s.FileSize)
	case !within(s, imageBase, abi.ImageMax) && !within(s, linesBase, abi.LinesMax):
		return fmt.Errorf("addresses %#x and %#x more are not the image's", s.VA, s.MemSize)
	}
	return nil
}

func within(s abi.Segment, base, size uint64) bool {
	return s.VA >= base && s.VA-base <= size && s.MemSize <= size-(s.VA-base)
}
