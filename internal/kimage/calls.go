package kimage

import "encoding/binary"

// call is one direct transfer of control to the beginning of a function.
type call struct {
	from *function
	pc   uint64 // of the instruction
	to   *function
}

// calls finds every CALL, JMP and conditional jump in fn that leads to the
// beginning of another function.
//
// It looks at every byte, not at every instruction: a decoder that mistakes the
// length of one privileged instruction would lose its place and miss what
// follows, and a gate must not miss. The other way round, four bytes that are
// no displacement would have to hit the first byte of a function to be taken
// for one. Calls into the middle (DUFFZERO, DUFFCOPY) are not reported: those
// are leaves.
func (img *image) calls(fn *function) []call {
	var found []call
	for i := 0; i+5 <= len(fn.code); i++ {
		at := i
		switch b := fn.code[i]; {
		case b == 0xe8 || b == 0xe9: // CALL rel32, JMP rel32
			at = i + 1
		case b == 0x0f && fn.code[i+1]&0xf0 == 0x80 && i+6 <= len(fn.code): // Jcc rel32
			at = i + 2
		default:
			continue
		}
		rel := int32(binary.LittleEndian.Uint32(fn.code[at:]))
		target := fn.start + uint64(at) + 4 + uint64(int64(rel))
		if to := img.starts[target]; to != nil && to != fn {
			found = append(found, call{fn, fn.start + uint64(i), to})
		}
	}
	return found
}
