//go:build !metal

package uaccess

import "unsafe"

// User is the simulated user memory, by address of 4-byte words; what is not
// there faults. RefusedPC and AccessPC stand for the labels in the assembly.
var User = map[uint64]uint32{}

// Addresses that Fixup knows in the simulation.
const (
	AccessPC  = 0xffffffff81000100
	RefusedPC = 0xffffffff81000200
)

func load64(addr uint64) (uint64, bool) {
	lo, ok := User[addr]
	hi, ok2 := User[addr+4]
	return uint64(hi)<<32 | uint64(lo), ok && ok2
}

func load32(addr uint64) (uint32, bool) {
	v, ok := User[addr]
	return v, ok
}

func store32(addr uint64, v uint32) bool {
	_, ok := User[addr]
	if ok {
		User[addr] = v
	}
	return ok
}

// Readable says whether there is memory at p.
func Readable(p unsafe.Pointer) bool { return p != nil }

// Fixup knows AccessPC.
func Fixup(rip uint64) (uint64, bool) { return RefusedPC, rip == AccessPC }
