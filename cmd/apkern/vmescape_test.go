package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEscapeReader(t *testing.T) {
	for _, tc := range []struct {
		typed, passed string
		quit          bool
	}{
		{"ls\r", "ls\r", false},
		{"x\x01", "x", false},
		{"a\x01\x01x", "a\x01x", false},
		{"a\x01bx", "abx", false},
		{"a\x01xb", "a", true},
		{"\x01\x01\x01xb", "\x01", true},
		{"\x03\x04\x1a", "\x03\x04\x1a", false},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			iotest.OneByteReader,
			func(r io.Reader) io.Reader { return r },
		} {
			quit := false
			r := &escapeReader{r: wrap(strings.NewReader(tc.typed)), quit: func() { quit = true }}
			passed, err := io.ReadAll(r)
			if err != nil || string(passed) != tc.passed || quit != tc.quit {
				t.Errorf("%q: passed %q, quit %t, %v", tc.typed, passed, quit, err)
			}
		}
	}
}
