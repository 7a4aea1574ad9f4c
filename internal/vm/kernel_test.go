package vm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/u-root/u-root/pkg/cpio"

	"apkern/internal/vm/guest"
)

// bzImage is the least file that is one, with payload inside.
func bzImage(release string, payload []byte) []byte {
	const setup = 4 * 512
	data := make([]byte, setup+512)
	data[hdrSetupSects] = setup / 512
	copy(data[hdrMagic:], "HdrS")
	binary.LittleEndian.PutUint16(data[hdrVersion:], 0x20f)
	binary.LittleEndian.PutUint16(data[hdrKernelVersion:], 0x300-0x200)
	copy(data[0x300:], release+" (someone) #1\x00")
	binary.LittleEndian.PutUint32(data[hdrPayloadOffset:], uint32(len(data)-setup-512))
	binary.LittleEndian.PutUint32(data[hdrPayloadLength:], uint32(len(payload)))
	return append(data, payload...)
}

func put(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindKernel(t *testing.T) {
	root := t.TempDir()
	for _, r := range []string{"6.1.0-9-amd64", "6.1.0-56-amd64", "6.12.1-amd64"} {
		put(t, root+"/boot/vmlinuz-"+r, bzImage(r, nil))
	}
	for _, r := range []string{"6.1.0-9-amd64", "6.1.0-56-amd64"} {
		put(t, root+"/lib/modules/"+r+"/modules.dep", nil)
	}
	put(t, root+"/pkg/boot/vmlinuz", bzImage("5.9", nil))
	put(t, root+"/pkg/lib/modules/5.9/modules.dep", nil)
	put(t, root+"/vmlinux", []byte("\x7fELF...Linux version 4.19.0-up (x@y) #1"))
	k := kernelFiles{root}

	for name, want := range map[string]Kernel{
		"":                         {root + "/boot/vmlinuz-6.1.0-56-amd64", "6.1.0-56-amd64", root + "/lib/modules/6.1.0-56-amd64"},
		"6.1.0-9-amd64":            {root + "/boot/vmlinuz-6.1.0-9-amd64", "6.1.0-9-amd64", root + "/lib/modules/6.1.0-9-amd64"},
		"6.12.1-amd64":             {root + "/boot/vmlinuz-6.12.1-amd64", "6.12.1-amd64", ""},
		root + "/vmlinux":          {root + "/vmlinux", "4.19.0-up", ""},
		root + "/pkg/boot/vmlinuz": {root + "/pkg/boot/vmlinuz", "5.9", root + "/pkg/lib/modules/5.9"},
	} {
		got, err := k.find(name, "")
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", name, d)
		}
	}
	put(t, root+"/text", []byte("no kernel"))
	for name, want := range map[string]string{
		"7.0":           "installed: 6.1.0-9-amd64, 6.1.0-56-amd64, 6.12.1-amd64",
		root + "/text":  "neither a bzImage nor an ELF kernel",
		root + "/none":  "no such file",
		root + "/boot/": "is a directory",
	} {
		if got, err := k.find(name, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", name, got, err, want)
		}
	}
	if _, err := (kernelFiles{t.TempDir()}).find("", ""); err == nil {
		t.Error("a kernel was found where there is none")
	}
}

func TestUnpackKernel(t *testing.T) {
	want := bytes.Repeat([]byte("kernel "), 10000)
	size := binary.LittleEndian.AppendUint32(nil, uint32(len(want)))
	for name, payload := range map[string][]byte{
		"gzip": compress(t, want, func(b *bytes.Buffer) writeCloser { return gzip.NewWriter(b) }),
		"zstd": compress(t, want, func(b *bytes.Buffer) writeCloser {
			z, err := zstd.NewWriter(b)
			if err != nil {
				t.Fatal(err)
			}
			return z
		}),
		"lz4": compress(t, want, func(b *bytes.Buffer) writeCloser {
			z := lz4.NewWriter(b)
			if err := z.Apply(lz4.LegacyOption(true)); err != nil {
				t.Fatal(err)
			}
			return z
		}),
	} {
		for _, trailer := range [][]byte{nil, size} {
			got, err := unpackKernel(bzImage("6.1", slices.Concat(payload, trailer)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s with %d bytes behind: %d bytes, %v", name, len(trailer), len(got), err)
			}
		}
	}
	if _, err := unpackKernel(bzImage("6.1", []byte("plain"))); err == nil {
		t.Error("unknown compression accepted")
	}
}

type writeCloser interface {
	Write([]byte) (int, error)
	Close() error
}

func compress(t *testing.T, data []byte, with func(*bytes.Buffer) writeCloser) []byte {
	t.Helper()
	var b bytes.Buffer
	w := with(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBootImageFallsBack(t *testing.T) {
	cache := t.TempDir()
	for name, data := range map[string][]byte{
		"not unpackable": bzImage("6.1", []byte("plain")),
		"no PVH entry": bzImage("6.1", compress(t, []byte("\x7fELF"),
			func(b *bytes.Buffer) writeCloser { return gzip.NewWriter(b) })),
		"no bzImage": []byte("\x7fELF"),
	} {
		file := filepath.Join(t.TempDir(), "kernel")
		put(t, file, data)
		if got, err := bootImage(file, cache); got != file || err != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if files, _ := os.ReadDir(cache); len(files) != 0 {
		t.Errorf("cached %v", files)
	}
}

func TestLoadOrder(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/modules.dep", []byte("a/9p.ko.xz: a/fscache.ko.xz a/netfs.ko\na/netfs.ko:\n"+
		"a/fscache.ko.xz: a/netfs.ko\nb/virtio-rng.ko: b/virtio.ko\nb/virtio.ko:\n"))
	got, err := loadOrder(dir, []string{"virtio_rng", "9p", "builtin", "netfs"})
	want := []string{"b/virtio.ko", "b/virtio-rng.ko", "a/netfs.ko", "a/fscache.ko.xz", "a/9p.ko.xz"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	put(t, dir+"/modules.dep", []byte("no colon\n"))
	if _, err := loadOrder(dir, nil); err == nil {
		t.Error("damaged modules.dep accepted")
	}
}

func TestInitramfs(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/init", []byte("init"))
	put(t, dir+"/lib", []byte("lib"))
	var out bytes.Buffer
	err := writeInitramfs(&out, contents{
		init: dir + "/init", library: dir + "/lib",
		modules: []ModuleFile{{"z.ko", []byte("z")}, {"a.ko", []byte("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := cpio.ArchiveFromReader(cpio.Newc.Reader(bytes.NewReader(out.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{guest.InitPath, guest.LibraryPath, "/modules/00-z.ko", "/modules/01-a.ko", "/dev/console"} {
		if _, ok := archive.Get(name[1:]); !ok {
			t.Errorf("no %s in %v", name, archive.Order)
		}
	}
	if _, ok := archive.Get(guest.InsertPath[1:]); ok {
		t.Error("a module to insert, although there is none")
	}
}

func TestQEMUArgsQuoteCommas(t *testing.T) {
	args := strings.Join(qemuArgs(accelTCG, Spec{Root: "/", Console: "/a,b"}), " ")
	if !strings.Contains(args, "path=/a,,b") || !strings.Contains(args, "readonly=on") {
		t.Error(args)
	}
}
