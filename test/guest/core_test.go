package guest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCoreDump: a core dump holds the exact registers of threads that spin away
// when another one faults, vector registers included.
func TestCoreDump(t *testing.T) {
	begin(t)
	const threads = 3
	const setting = "/proc/sys/kernel/core_pattern"
	before := readFile(t, setting)
	t.Cleanup(func() { write(t, "/", setting, before) })
	limits := []string{"sh", "-c", `ulimit -c unlimited; exec "$@"`, "sh"}
	for _, w := range []way{native, preload} {
		t.Run(w.name, func(t *testing.T) {
			core := filepath.Join(t.TempDir(), "core")
			write(t, "/", setting, core)
			w.prefix = limits
			o := run(t, w, command{argv: []string{program("corepattern"), fmt.Sprint(threads)}})
			if o.Status == statusNoAVX2 {
				t.Skip("this processor has no AVX")
			}
			if o.Status != 128+int(unix.SIGSEGV) {
				t.Fatalf("status %d: %s", o.Status, o.Stderr)
			}
			found := map[uint64]bool{}
			for _, d := range dumped(t, core) {
				d.check(t)
				found[d.general[0]] = true
			}
			if len(found) != threads+1 {
				t.Errorf("the threads %v are in the core, of %d", found, threads+1)
			}
		})
	}
}

// dumpedThread is what a core says about one thread.
type dumpedThread struct {
	general [27]uint64 // struct user_regs_struct
	fp      []byte     // NT_FPREGSET: the FXSAVE area
	xstate  []byte     // NT_X86_XSTATE: the XSAVE area
}

// Types of notes in a core, and where struct elf_prstatus has the registers.
const (
	ntPRStatus  = 1
	ntFPRegSet  = 2
	ntX86XState = 0x202
	prRegs      = 112
)

// dumped returns the threads in a core file.
func dumped(t *testing.T, path string) []*dumpedThread {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var threads []*dumpedThread
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		notes, err := io.ReadAll(p.Open())
		if err != nil {
			t.Fatal(err)
		}
		for r := bytes.NewReader(notes); r.Len() > 0; {
			kind, body := note(t, r)
			if kind == ntPRStatus {
				d := &dumpedThread{}
				if err := binary.Read(bytes.NewReader(body[prRegs:]), binary.LittleEndian, &d.general); err != nil {
					t.Fatal(err)
				}
				threads = append(threads, d)
			}
			switch last := len(threads) - 1; kind {
			case ntFPRegSet:
				threads[last].fp = body
			case ntX86XState:
				threads[last].xstate = body
			}
		}
	}
	return threads
}

// note reads one note.
func note(t *testing.T, r io.Reader) (kind uint32, body []byte) {
	t.Helper()
	var h struct{ Name, Body, Type uint32 }
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		t.Fatal(err)
	}
	aligned := func(n uint32) int { return int(n+3) &^ 3 }
	b := make([]byte, aligned(h.Name)+aligned(h.Body))
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return h.Type, b[aligned(h.Name):][:h.Body]
}

// Indexes in struct user_regs_struct.
const (
	regR15, regR14, regOrigRAX, regRIP, regFlags = 0, 1, 15, 16, 18
)

// check compares a thread with the pattern that corepattern.c describes.
func (d *dumpedThread) check(t *testing.T) {
	t.Helper()
	n := d.general[regR15]
	for k := 2; k < regOrigRAX; k++ {
		if want := 0x0101010101010101 * (16*n + uint64(k)); d.general[k] != want {
			t.Errorf("thread %d: register %d is %#x, not %#x", n, k, d.general[k], want)
		}
	}
	if n != 0 && d.general[regRIP] != d.general[regR14] {
		t.Errorf("thread %d: at %#x, not %#x", n, d.general[regRIP], d.general[regR14])
	}
	if d.general[regOrigRAX] != ^uint64(0) {
		t.Errorf("thread %d: orig_rax %#x", n, d.general[regOrigRAX])
	}
	const carry, direction = 1, 0x400
	if f := d.general[regFlags]; f&carry == 0 || f&direction == 0 {
		t.Errorf("thread %d: flags %#x", n, f)
	}
	d.checkVectors(t, n)
}

// checkVectors does so for the floating-point and vector registers.
func (d *dumpedThread) checkVectors(t *testing.T, n uint64) {
	t.Helper()
	const mxcsr, xmm, header, ymm = 24, 160, 512, 576 // offsets in an XSAVE area
	if len(d.fp) < header || len(d.xstate) < ymm+16*16 {
		t.Fatalf("thread %d: %d and %d bytes of extended state", n, len(d.fp), len(d.xstate))
	}
	for name, area := range map[string][]byte{"NT_FPREGSET": d.fp, "NT_X86_XSTATE": d.xstate} {
		if w := binary.LittleEndian.Uint32(area[mxcsr:]); w != 0xff80 {
			t.Errorf("thread %d: %s: MXCSR %#x", n, name, w)
		}
		if w := binary.LittleEndian.Uint16(area); w != 0xc7f {
			t.Errorf("thread %d: %s: x87 control word %#x", n, name, w)
		}
	}
	for k := range 16 {
		want := make([]byte, 32)
		for j := range want {
			want[j] = byte(16*int(n) + k + j)
		}
		got := append(append([]byte{}, d.xstate[xmm+16*k:][:16]...), d.xstate[ymm+16*k:][:16]...)
		if !bytes.Equal(got, want) {
			t.Errorf("thread %d: YMM%d is %x, not %x", n, k, got, want)
		}
		if got := d.fp[xmm+16*k:][:16]; !bytes.Equal(got, want[:16]) {
			t.Errorf("thread %d: XMM%d is %x, not %x", n, k, got, want[:16])
		}
	}
}
