package client

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"apkern/abi"
)

// Memory is the device's read-only mapping: counters and logs as they change.
type Memory struct {
	home []byte
	cpus map[int][]byte // by index
}

// Map maps the statistics and logs of the application CPUs with these indexes
// (CPU.Index). They stay readable when a CPU is given back.
func (d *Device) Map(indexes []int) (*Memory, error) {
	m := &Memory{cpus: map[int][]byte{}}
	var err error
	m.home, err = d.mmap(abi.MapHome, 1)
	for _, i := range indexes {
		if err == nil {
			m.cpus[i], err = d.mmap(abi.MapCPU+abi.MapCPUPages*i, abi.MapCPUPages)
		}
	}
	if err != nil {
		_ = m.Close() // nothing was written
		return nil, err
	}
	return m, nil
}

func (d *Device) mmap(page, pages int) (data []byte, err error) {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		data, failed = unix.Mmap(int(fd), int64(abi.PageSize*page), abi.PageSize*pages, unix.PROT_READ, unix.MAP_SHARED)
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("mmap %s: %w", abi.Device, err)
	}
	return data, nil
}

// Close unmaps.
func (m *Memory) Close() error {
	var errs []error
	for _, data := range m.cpus {
		if data != nil {
			errs = append(errs, unix.Munmap(data))
		}
	}
	if m.home != nil {
		errs = append(errs, unix.Munmap(m.home))
	}
	return errors.Join(errs...)
}

// Home returns a copy of the module's counters.
func (m *Memory) Home() abi.HomeStat {
	var s abi.HomeStat
	from := at[abi.HomeStat](m.home, 0)
	load(s.Count[:], from.Count[:])
	load(s.Decline[:], from.Decline[:])
	return s
}

// CPU returns a copy of the counters of the application CPU with that index.
func (m *Memory) CPU(index int) abi.Stat {
	var s abi.Stat
	load(s.Count[:], at[abi.Stat](m.cpus[index], 0).Count[:])
	return s
}

// Log returns the log of the application CPU with that index.
func (m *Memory) Log(index int) *Log {
	return &Log{memory: at[abi.Log](m.cpus[index], 1)}
}

// at is the structure that begins at a page of a mapping.
func at[T any](data []byte, page int) *T {
	return (*T)(unsafe.Pointer(&data[abi.PageSize*page]))
}

// load copies counters that others change.
func load(to, from []uint64) {
	for i := range to {
		to[i] = atomic.LoadUint64(&from[i])
	}
}

// Log reads one CPU's log.
type Log struct {
	memory *abi.Log
	read   uint64 // number of the last record returned or passed over
}

// Record is one entry of a log.
type Record struct {
	Seq   uint64 // its number, from 1
	TSC   uint64 // when, in cycles of the time-stamp counter
	Level int    // abi.LogInfo and following
	Text  string
}

// Read returns the records written since the last Read, oldest first, and how
// many more were overwritten before they could be read.
func (l *Log) Read() (records []Record, lost uint64) {
	for {
		r, state := l.record(l.read + 1)
		switch state {
		case complete:
			records = append(records, r)
		case overwritten:
			lost++
		case unwritten:
			return records, lost
		}
		l.read++
	}
}

// What record number n of a log can be.
type recordState int

const (
	unwritten recordState = iota
	complete
	overwritten // by a later one in its place, or about to be
)

// record reads record number n. The writer waits for nobody: it sets the
// number to 0, fills the record and sets the number. So a copy counts only if
// the number was right before and after.
func (l *Log) record(n uint64) (Record, recordState) {
	from := &l.memory.Record[(n-1)%abi.LogRecords]
	switch seq := atomic.LoadUint64(&from.Seq); {
	case seq > n:
		return Record{}, overwritten
	case seq < n && atomic.LoadUint64(&l.memory.Next) >= n+abi.LogRecords:
		return Record{}, overwritten
	case seq < n:
		return Record{}, unwritten
	}
	r := Record{Seq: n, TSC: atomic.LoadUint64(&from.TSC), Level: int(atomic.LoadUint32(&from.Level))}
	text := from.Text
	if atomic.LoadUint64(&from.Seq) != n {
		return Record{}, overwritten
	}
	end := bytes.IndexByte(text[:], 0)
	if end < 0 {
		end = len(text)
	}
	r.Text = string(text[:end])
	return r, complete
}
