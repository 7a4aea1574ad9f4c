//go:build metal

package uaccess

//lint:file-ignore U1000 the assembly uses these names through go_asm.h

import (
	"unsafe"

	"apkern/abi"
	"apkern/kernel/cpu"
)

// What the assembly needs to know.
const (
	configBase = abi.Window + abi.WinCPU
	cr4SMAP    = cpu.CR4SMAP
)

type config abi.CPU

//go:noescape
func load64(addr uint64) (v uint64, ok bool)

//go:noescape
func load32(addr uint64) (v uint32, ok bool)

//go:noescape
func store32(addr uint64, v uint32) (ok bool)

//go:noescape
func accessPCs() (load, word, store, refused uint64)

// Readable says whether ring 0 can read the 8 bytes at p.
func Readable(p unsafe.Pointer) bool {
	_, ok := load64(uint64(uintptr(p)))
	return ok
}

// Fixup returns where to go on after an exception at rip, if that is an access
// of this package.
func Fixup(rip uint64) (uint64, bool) {
	load, word, store, refused := accessPCs()
	return refused, rip == load || rip == word || rip == store
}
