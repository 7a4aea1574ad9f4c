package vm

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/therootcompany/xz"
)

// bootImage returns the file to give to QEMU for a kernel. A bzImage unpacks
// itself on the guest's CPU, which takes seconds under emulation; so the ELF
// kernel in it is unpacked here, once, kept in dir, and started by PVH (Xen's
// start interface, which QEMU implements). A kernel that cannot be started so
// is booted as it is.
func bootImage(kernel, dir string) (string, error) {
	data, err := os.ReadFile(kernel)
	if err != nil {
		return "", fmt.Errorf("kernel: %w", err)
	}
	if !isBzImage(data) {
		return kernel, nil
	}
	sum := sha256.Sum256(data)
	cached := filepath.Join(dir, "vmlinux-"+hex.EncodeToString(sum[:12]))
	if _, err := os.Stat(cached); err == nil {
		return cached, nil
	}
	image, err := unpackKernel(data)
	if err != nil || !startsByPVH(image) {
		return kernel, nil
	}
	if err := writeFile(cached, image); err != nil {
		return kernel, nil
	}
	return cached, nil
}

// writeFile creates a file that other processes see either whole or not at all.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it has been renamed
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// unpackKernel returns the ELF kernel inside a bzImage.
func unpackKernel(data []byte) ([]byte, error) {
	if binary.LittleEndian.Uint16(data[hdrVersion:]) < 0x208 {
		return nil, errors.New("boot protocol too old: it does not say where the payload is")
	}
	sects := int(data[hdrSetupSects])
	if sects == 0 {
		sects = 4
	}
	start := uint64(sects+1)*512 + uint64(binary.LittleEndian.Uint32(data[hdrPayloadOffset:]))
	end := start + uint64(binary.LittleEndian.Uint32(data[hdrPayloadLength:]))
	if start > end || end > uint64(len(data)) {
		return nil, errors.New("damaged: the payload is beyond the end")
	}
	return decompress(data[start:end])
}

// decompress unpacks the first stream of data, whose kind its first bytes tell.
// What follows the stream is ignored: a kernel's build appends the unpacked size.
func decompress(data []byte) ([]byte, error) {
	r := bytes.NewReader(data)
	switch {
	case bytes.HasPrefix(data, []byte("\xfd7zXZ\x00")):
		z, err := xz.NewReader(r, 0)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return io.ReadAll(z)
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return io.ReadAll(z)
	case bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")):
		return unzstd(data)
	case bytes.HasPrefix(data, []byte("\x02\x21\x4c\x18")):
		return unlz4(data)
	}
	return nil, errors.New("compressed in a way that is not known here")
}

// sizeTrailer is the length of the unpacked size that the kernel's build
// appends, as a little-endian 32-bit number, to formats that do not hold it.
const sizeTrailer = 4

// unzstd and unlz4 unpack formats whose readers want nothing after the stream.
func unzstd(data []byte) ([]byte, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(1<<28))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	if out, err := z.DecodeAll(data, nil); err == nil {
		return out, nil
	}
	return z.DecodeAll(data[:len(data)-sizeTrailer], nil)
}

func unlz4(data []byte) ([]byte, error) {
	out, err := io.ReadAll(lz4.NewReader(bytes.NewReader(data)))
	if err == nil {
		return out, nil
	}
	return io.ReadAll(lz4.NewReader(bytes.NewReader(data[:len(data)-sizeTrailer])))
}

// startsByPVH tells whether an ELF kernel has the note with its PVH entry
// (XEN_ELFNOTE_PHYS32_ENTRY, xen/interface/elfnote.h).
func startsByPVH(image []byte) bool {
	const phys32Entry = 18
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return false
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		notes, err := io.ReadAll(p.Open())
		if err != nil {
			return false
		}
		if hasNote(notes, "Xen\x00", phys32Entry, f.ByteOrder) {
			return true
		}
	}
	return false
}

// hasNote looks through ELF notes: name size, descriptor size, type, name,
// descriptor, the latter two padded to four bytes.
func hasNote(notes []byte, name string, kind uint32, order binary.ByteOrder) bool {
	pad := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for len(notes) >= 12 {
		nameSize, descSize := order.Uint32(notes), order.Uint32(notes[4:])
		size := 12 + pad(nameSize) + pad(descSize)
		if size > uint64(len(notes)) {
			return false
		}
		if order.Uint32(notes[8:]) == kind && string(notes[12:12+nameSize]) == name {
			return true
		}
		notes = notes[size:]
	}
	return false
}
