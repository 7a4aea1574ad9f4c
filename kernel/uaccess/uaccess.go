// Package uaccess reads and writes the loaded address space's user memory from
// ring 0. What the processor refuses, for whatever reason, is reported and
// never fatal: the trap dispatcher asks Fixup about every exception in ring 0.
package uaccess

import (
	"apkern/abi"
	"apkern/kernel/window"
)

// addressBits is the width of a user address: bits 0 to addressBits-1.
func addressBits() uint {
	if window.Config().Features&abi.FLA57 != 0 {
		return 56
	}
	return 47
}

// Limit is the first address that is not the user's, as Linux has it: the last
// page below the canonical hole is never mapped.
func Limit() uint64 { return 1<<addressBits() - abi.PageSize }

// Canonical says whether the processor accepts v as an address (SDM 1, section
// 3.3.7.1): loading a base register or an instruction pointer with another
// value faults in ring 0.
func Canonical(v uint64) bool {
	high := int64(v) >> addressBits()
	return high == 0 || high == -1
}

// Load64 reads the user's 8 bytes at addr.
func Load64(addr uint64) (v uint64, ok bool) {
	if addr > Limit()-8 {
		return 0, false
	}
	return load64(addr)
}

// Load32 reads the user's 4 bytes at addr.
func Load32(addr uint64) (v uint32, ok bool) {
	if addr > Limit()-4 {
		return 0, false
	}
	return load32(addr)
}

// Store32 writes the user's 4 bytes at addr.
func Store32(addr uint64, v uint32) bool {
	return addr <= Limit()-4 && store32(addr, v)
}
