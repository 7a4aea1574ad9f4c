package fatal

import (
	"apkern/abi"
	"apkern/kernel/klog"
	"apkern/kernel/uaccess"
	"apkern/kernel/window"
)

// findLine looks an address of the image up in the line table, writes the file's
// name to name and returns the line. False: there is no table, or nothing in
// it about pc.
func findLine(name *klog.Line, pc uint64) (line uint32, ok bool) {
	base := window.LineTable()
	if !uaccess.Readable(base) {
		return 0, false
	}
	t, ok := window.OpenLines(base)
	if !ok {
		return 0, false
	}
	e, ok := search(t, pc)
	if !ok {
		return 0, false
	}
	for i := 0; ; i++ {
		c := t.NameByte(e.File, i)
		if c == 0 {
			return uint32(e.Line), true
		}
		name.Byte(c)
	}
}

// search returns the last entry at or before pc. Line 0 marks a stretch that no
// file is known for.
func search(t window.Lines, pc uint64) (abi.Line, bool) {
	const image uint64 = 1<<64 + abi.Image
	if pc < image || pc-image >= abi.ImageMax {
		return abi.Line{}, false
	}
	off := uint32(pc - image)
	lo, hi := 0, t.Len()
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if t.At(mid).PC <= off {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return abi.Line{}, false
	}
	e := t.At(lo - 1)
	return e, e.Line != 0
}
