package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"apkern/abi"
)

// mapped returns the memory of a device with cpus CPUs that is a plain file,
// and that file's bytes to write to.
func mapped(t *testing.T, cpus int) (*Memory, []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "device"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	size := abi.PageSize * (abi.MapCPU + abi.MapCPUPages*cpus)
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(data) })
	var indexes []int
	for i := range cpus {
		indexes = append(indexes, i)
	}
	m, err := (&Device{f}).Map(indexes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, data
}

func TestCounters(t *testing.T) {
	m, data := mapped(t, 2)
	put := func(page, index int, value uint64) {
		binary.NativeEndian.PutUint64(data[page*abi.PageSize+8*index:], value)
	}
	put(abi.MapHome, abi.HAway, 11)
	put(abi.MapHome, abi.HomeCounterCount+abi.DMemory, 12)
	put(abi.MapCPU+abi.MapCPUPages, abi.CIdleCycles, 13)
	home := m.Home()
	if home.Count[abi.HAway] != 11 || home.Decline[abi.DMemory] != 12 {
		t.Errorf("home: %v", home)
	}
	if got := m.CPU(1).Count[abi.CIdleCycles]; got != 13 {
		t.Errorf("CPU 1: %d", got)
	}
	if got := m.CPU(0); got != (abi.Stat{}) {
		t.Errorf("CPU 0: %v", got)
	}
}

// logger writes a log as the application kernel does.
type logger struct{ log *abi.Log }

func logOf(data []byte, index int) logger {
	return logger{(*abi.Log)(unsafe.Pointer(&data[abi.PageSize*(abi.MapCPU+abi.MapCPUPages*index+1)]))}
}

func (l logger) write(seq uint64) {
	r := &l.log.Record[(seq-1)%abi.LogRecords]
	*r = abi.LogRecord{Seq: seq, TSC: seq * 10, Level: abi.LogWarn}
	copy(r.Text[:], fmt.Sprintf("record %d", seq))
	l.log.Next = seq + 1
}

func TestLog(t *testing.T) {
	m, data := mapped(t, 2)
	w, r := logOf(data, 1), m.Log(1)
	if got, lost := r.Read(); len(got) != 0 || lost != 0 {
		t.Fatalf("empty log: %v, %d", got, lost)
	}
	w.write(1)
	w.write(2)
	got, lost := r.Read()
	want := []Record{{1, 10, abi.LogWarn, "record 1"}, {2, 20, abi.LogWarn, "record 2"}}
	if d := cmp.Diff(want, got); d != "" || lost != 0 {
		t.Fatalf("lost %d, %s", lost, d)
	}
	if got, lost := r.Read(); len(got) != 0 || lost != 0 {
		t.Fatalf("nothing new: %v, %d", got, lost)
	}
	for seq := uint64(3); seq <= abi.LogRecords+7; seq++ {
		w.write(seq)
	}
	got, lost = r.Read()
	if len(got) != abi.LogRecords || got[0].Seq != 8 || got[len(got)-1].Seq != abi.LogRecords+7 || lost != 5 {
		t.Errorf("after a turn of the ring: %d records, the first %v, lost %d", len(got), got[0], lost)
	}
	if other, _ := m.Log(0).Read(); len(other) != 0 {
		t.Errorf("the other CPU's log: %v", other)
	}
}

// TestLogRecordBeingWritten: a record without its number is not there yet, and
// must not be passed over for good.
func TestLogRecordBeingWritten(t *testing.T) {
	m, data := mapped(t, 1)
	w, r := logOf(data, 0), m.Log(0)
	w.write(1)
	w.write(2)
	w.log.Record[1].Seq = 0
	if got, lost := r.Read(); len(got) != 1 || lost != 0 {
		t.Fatalf("%v, lost %d", got, lost)
	}
	w.write(2)
	if got, lost := r.Read(); len(got) != 1 || got[0].Seq != 2 || lost != 0 {
		t.Fatalf("%v, lost %d", got, lost)
	}
}

// TestLogTextWithoutEnd: text that fills its field has no NUL to end it.
func TestLogTextWithoutEnd(t *testing.T) {
	m, data := mapped(t, 1)
	w := logOf(data, 0)
	w.write(1)
	for i := range w.log.Record[0].Text {
		w.log.Record[0].Text[i] = 'x'
	}
	if got, _ := m.Log(0).Read(); len(got) != 1 || len(got[0].Text) != abi.LogText {
		t.Errorf("%v", got)
	}
}

func TestOpenWithoutModule(t *testing.T) {
	if _, err := os.Stat(abi.Device); err == nil {
		t.Skip("the module is loaded")
	}
	if _, err := Open(); err != ErrNotLoaded || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want ErrNotLoaded", err)
	}
}

func TestAdoptRefusesImpossibleCPU(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &Device{f}
	if err := d.Adopt([]int{256}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("CPU 256: %v", err)
	}
	// Another device does not know the request.
	if err := d.AdoptExec(nil); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("%v, want ENOTTY", err)
	}
	if _, err := d.Info(); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("%v, want ENOTTY", err)
	}
}
