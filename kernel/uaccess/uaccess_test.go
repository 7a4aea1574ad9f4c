//go:build !metal

package uaccess

import (
	"testing"

	"apkern/abi"
	"apkern/kernel/window"
)

func TestUserAccessStaysBelowTheLimit(t *testing.T) {
	m := window.Reset(1)
	for _, features := range []uint32{0, abi.FLA57} {
		m.Config.Features = features
		limit := Limit()
		User = map[uint64]uint32{}
		for _, a := range []uint64{limit - 8, limit - 4, limit, limit + 4, ^uint64(0) - 7, ^uint64(0) - 3} {
			User[a] = 1
		}
		if _, ok := Load64(limit - 8); !ok {
			t.Error("the last 8 bytes cannot be read")
		}
		if !Store32(limit-4, 2) || User[limit-4] != 2 {
			t.Error("the last 4 bytes cannot be written")
		}
		for _, a := range []uint64{limit - 7, limit, ^uint64(0) - 7} {
			if _, ok := Load64(a); ok {
				t.Errorf("read at %#x", a)
			}
		}
		for _, a := range []uint64{limit - 3, limit, ^uint64(0) - 3} {
			if Store32(a, 2) {
				t.Errorf("written at %#x", a)
			}
		}
	}
}

func TestFaultsAreReported(t *testing.T) {
	window.Reset(1)
	User = map[uint64]uint32{0x1000: 1, 0x1004: 2}
	if v, ok := Load64(0x1000); !ok || v != 2<<32|1 {
		t.Errorf("%#x, %v", v, ok)
	}
	if _, ok := Load64(0x1004); ok {
		t.Error("read beyond what is there")
	}
	if Store32(0x2000, 1) {
		t.Error("written where nothing is")
	}
}

func TestCanonical(t *testing.T) {
	m := window.Reset(1)
	for _, tt := range []struct {
		v          uint64
		four, five bool
	}{
		{0, true, true},
		{1<<47 - 1, true, true},
		{1 << 47, false, true},
		{1<<56 - 1, false, true},
		{1 << 56, false, false},
		{0xff00000000000000, false, true},
		{0xffff800000000000, true, true},
		{^uint64(0), true, true},
	} {
		m.Config.Features = 0
		four := Canonical(tt.v)
		m.Config.Features = abi.FLA57
		if five := Canonical(tt.v); four != tt.four || five != tt.five {
			t.Errorf("%#x: %v, %v", tt.v, four, five)
		}
	}
}
