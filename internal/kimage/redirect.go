package kimage

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Where a failing application kernel goes on: the fatal path, which finds the
// failing code's return address at 0(SP) as it found it on entry.
const (
	fatalSymbol = kernelPath + "entry.fatalEntry"
	stackSymbol = kernelPath + "entry.stackEntry" // the stack is used up
)

// required are the fatals that compiled code of any shape calls. Their names
// belong to the toolchain: one that is missing means that the toolchain has
// changed and its calls would go unnoticed into a runtime that is not there.
var required = []string{
	"runtime.panicBounds", "runtime.panicdivide", "runtime.panicshift",
	"runtime.gopanic", "runtime.throw",
	"runtime.morestack.abi0", "runtime.morestack_noctxt.abi0",
}

// jumpSize is the length of JMP rel32.
const jumpSize = 5

// redirect makes the required fatals, and those in met, jumps into the
// application kernel's fatal path.
func redirect(img *image, met []*function) error {
	targets := slices.Clone(met)
	for _, name := range required {
		fn := img.names[name]
		if fn == nil {
			return fmt.Errorf("%s is not in the image: this toolchain calls it otherwise; adjust the list in internal/kimage/redirect.go", name)
		}
		if !slices.Contains(targets, fn) {
			targets = append(targets, fn)
		}
	}
	for _, fn := range targets {
		symbol := fatalSymbol
		if strings.HasPrefix(fn.name, "runtime.morestack") {
			symbol = stackSymbol
		}
		to := img.find(symbol)
		if to == nil {
			return fmt.Errorf("%s is not in the image: the entry code must refer to it", symbol)
		}
		if err := patchJump(fn, to.start); err != nil {
			return err
		}
	}
	return nil
}

// patchJump overwrites the beginning of fn with JMP target.
func patchJump(fn *function, target uint64) error {
	if len(fn.code) < jumpSize {
		return fmt.Errorf("%s has %d bytes, no room for a jump", fn.name, len(fn.code))
	}
	rel := int64(target - (fn.start + jumpSize))
	if rel < math.MinInt32 || rel > math.MaxInt32 {
		return fmt.Errorf("%s is too far from the fatal path", fn.name)
	}
	fn.code[0] = 0xe9
	binary.LittleEndian.PutUint32(fn.code[1:], uint32(rel))
	return nil
}
