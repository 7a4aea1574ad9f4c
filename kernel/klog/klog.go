// Package klog writes the application kernel's log without allocating: a Line
// is built on the stack and copied into this CPU's ring (abi.Log), which home
// and user space read while it is written.
package klog

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/window"
)

// Line is one record in the making. What does not fit is cut off.
type Line struct {
	text [abi.LogText]byte // NUL-terminated: the last byte stays 0
	n    int
}

// Byte appends one byte.
func (l *Line) Byte(c byte) *Line {
	if l.n < len(l.text)-1 {
		l.text[l.n] = c
		l.n++
	}
	return l
}

// String appends s.
func (l *Line) String(s string) *Line {
	for i := 0; i < len(s); i++ {
		l.Byte(s[i])
	}
	return l
}

// Text appends bytes up to the first NUL.
func (l *Line) Text(b []byte) *Line {
	for _, c := range b {
		if c == 0 {
			break
		}
		l.Byte(c)
	}
	return l
}

// Dec appends v in decimal.
func (l *Line) Dec(v uint64) *Line {
	if v >= 10 {
		l.Dec(v / 10)
	}
	return l.Byte('0' + byte(v%10))
}

// Hex appends v in hexadecimal with 0x in front.
func (l *Line) Hex(v uint64) *Line {
	l.Byte('0').Byte('x')
	shift := 60
	for shift > 0 && v>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		l.Byte("0123456789abcdef"[v>>shift&15])
	}
	return l
}

// CopyTo copies the text to dst, cut off and NUL-terminated.
func (l *Line) CopyTo(dst []byte) {
	for i := range dst {
		dst[i] = 0
		if i < l.n && i < len(dst)-1 {
			dst[i] = l.text[i]
		}
	}
}

// Put writes the line into the ring with a level (abi.LogInfo and following).
// A reader that sees the record's number before and after its copy has a whole
// record. Only this CPU writes, with interrupts off.
func (l *Line) Put(level uint32) {
	log := window.Log()
	n := max(log.Next, 1) // a fresh ring is zero; numbers begin with 1
	r := &log.Record[(n-1)%abi.LogRecords]
	atomic.StoreUint64(&r.Seq, 0)
	r.TSC = cpu.ReadTSC()
	r.Level = level
	r.Text = l.text
	atomic.StoreUint64(&r.Seq, n)
	atomic.StoreUint64(&log.Next, n+1)
}
