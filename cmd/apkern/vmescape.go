package main

import "io"

// Keys of escapeReader, those of QEMU's own console.
const (
	escapeKey = 'A' & 0x1f // Ctrl-a
	quitKey   = 'x'
)

// escapeReader passes on what is typed, but for Ctrl-a x, which calls quit and
// ends it. Ctrl-a Ctrl-a is a Ctrl-a; before any other key it is lost.
type escapeReader struct {
	r       io.Reader
	quit    func()
	escaped bool // the last key was Ctrl-a
}

// Read implements io.Reader.
func (e *escapeReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	kept := 0
	for _, key := range p[:n] {
		switch {
		case e.escaped && key == quitKey:
			e.quit()
			return kept, io.EOF
		case !e.escaped && key == escapeKey:
			e.escaped = true
			continue
		}
		e.escaped = false
		p[kept] = key
		kept++
	}
	return kept, err
}
