//go:build !metal

package klog

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"apkern/abi"
	"apkern/kernel/window"
	"pgregory.net/rapid"
)

func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

func TestLineFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := window.Reset(1)
		v := rapid.Uint64().Draw(t, "v")
		var l Line
		l.String("a ").Dec(v).Byte(' ').Hex(v).Text([]byte("b\x00c")).Put(abi.LogWarn)
		r := &m.Log.Record[0]
		if got, want := text(r.Text[:]), fmt.Sprintf("a %d %#xb", v, v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if r.Seq != 1 || r.Level != abi.LogWarn || r.TSC == 0 || m.Log.Next != 2 {
			t.Errorf("record %d, level %d, time %d, next %d", r.Seq, r.Level, r.TSC, m.Log.Next)
		}
	})
}

func TestLineIsCutOff(t *testing.T) {
	m := window.Reset(1)
	var l Line
	l.String(strings.Repeat("x", 3*abi.LogText)).Put(abi.LogInfo)
	if got := text(m.Log.Record[0].Text[:]); len(got) != abi.LogText-1 {
		t.Errorf("%d bytes of text, want %d and a NUL", len(got), abi.LogText-1)
	}
	var short [4]byte
	l.CopyTo(short[:])
	if text(short[:]) != "xxx" {
		t.Errorf("CopyTo gives %q", short)
	}
}

func TestRingWraps(t *testing.T) {
	m := window.Reset(1)
	const n = 3*abi.LogRecords + 5
	for i := 1; i <= n; i++ {
		var l Line
		l.Dec(uint64(i)).Put(abi.LogInfo)
	}
	for i := n - abi.LogRecords + 1; i <= n; i++ {
		r := &m.Log.Record[(i-1)%abi.LogRecords]
		if r.Seq != uint64(i) || text(r.Text[:]) != fmt.Sprint(i) {
			t.Fatalf("record %d holds number %d, %q", i, r.Seq, text(r.Text[:]))
		}
	}
	if m.Log.Next != n+1 {
		t.Errorf("next = %d, want %d", m.Log.Next, n+1)
	}
}
