package kimage

import (
	"slices"
	"strings"
	"testing"
)

// fake returns an image of one function per name, 16 bytes each.
func fake(names ...string) *image {
	img := &image{starts: map[uint64]*function{}, names: map[string]*function{}}
	for i, name := range names {
		fn := &function{name, uint64(i) * 16, uint64(i)*16 + 16, make([]byte, 16)}
		img.functions = append(img.functions, fn)
		img.starts[fn.start] = fn
		img.names[name] = fn
	}
	return img
}

func TestCalls(t *testing.T) {
	for _, c := range []struct {
		what string
		code []byte
		want bool
	}{
		{"CALL", []byte{0xe8, 11, 0, 0, 0}, true},
		{"JMP", []byte{0xe9, 11, 0, 0, 0}, true},
		{"JNE", []byte{0x0f, 0x85, 10, 0, 0, 0}, true},
		{"CALL behind a prefix", []byte{0x66, 0x0f, 0xe8, 9, 0, 0, 0}, true},
		{"CALL at the end", append(make([]byte, 11), 0xe8, 0, 0, 0, 0), true},
		{"CALL into the middle", []byte{0xe8, 12, 0, 0, 0}, false},
		{"CALL elsewhere", []byte{0xe8, 11, 1, 0, 0}, false},
		{"CALL itself", []byte{0xe8, 0xfb, 0xff, 0xff, 0xff}, false},
		{"SETNE", []byte{0x0f, 0x95, 10, 0, 0, 0}, false},
		{"MOV", []byte{0xb8, 11, 0, 0, 0}, false},
	} {
		img := fake("from", "to")
		copy(img.functions[0].code, c.code)
		got := img.calls(img.functions[0])
		if (len(got) == 1 && got[0].to == img.functions[1]) != c.want || len(got) > 1 {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestRedirectMissing(t *testing.T) {
	all := append([]string{fatalSymbol, stackSymbol + ".abi0"}, required...)
	if err := redirect(fake(all...), nil); err != nil {
		t.Fatalf("nothing is missing: %v", err)
	}
	for i, name := range all {
		err := redirect(fake(slices.Delete(slices.Clone(all), i, i+1)...), nil)
		if err == nil || !strings.HasPrefix(name, strings.Fields(err.Error())[0]) || !strings.Contains(err.Error(), " is not in the image") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestRedirectNoRoom(t *testing.T) {
	img := fake(append([]string{fatalSymbol, stackSymbol}, required...)...)
	fn := img.names["runtime.throw"]
	fn.code = fn.code[:jumpSize-1]
	if err := redirect(img, nil); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("got %v", err)
	}
	fn.code = make([]byte, jumpSize)
	fn.start = 1 << 40
	if err := redirect(img, nil); err == nil || !strings.Contains(err.Error(), "too far") {
		t.Errorf("got %v", err)
	}
}

func TestListed(t *testing.T) {
	list := []string{"runtime.memmove", "sync/atomic.*"}
	for name, want := range map[string]bool{
		"runtime.memmove": true, "runtime.memmoved": false, "sync/atomic.AddInt64": true, "sync/atomics.X": false,
	} {
		if listed(list, name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
