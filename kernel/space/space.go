// Package space loads and unloads address spaces on this CPU and answers
// flush requests.
//
// The rule that keeps stale translations out has two halves. Home changes page
// tables, then looks at cpuhead.space, then asks for a flush and waits for the
// acknowledgement. This CPU writes cpuhead.space, then copies the top entries
// and loads them; it clears cpuhead.space only when nothing of the space can be
// walked any more. Both sides have a full barrier in the middle, so that either
// home sees the space loaded or this CPU sees the change.
//
// All functions run with interrupts off.
package space

import (
	"sync/atomic"

	"apkern/abi"
	"apkern/kernel/cpu"
	"apkern/kernel/stat"
	"apkern/kernel/window"
)

// ackForever acknowledges all requests to come: the CPU has stopped and no
// address space will be loaded again before it is set up anew.
const ackForever = 1 << 62

// Load makes the address space of the mapped slot the one in use. It stays
// loaded when the thread goes home, because threads come back soon.
func Load(s *abi.Slot) {
	h := window.Self()
	if h.Space == s.SpaceID {
		refresh()
		return
	}
	Unload() // two spaces share one table: neither may be walked while it is half the other's
	atomic.StoreUint64(&h.Space, s.SpaceID)
	window.MapSpace(s.SpacePhys)
	copyTop(generation())
	cpu.WriteCR3(window.Config().UserTop)
	stat.Inc(abi.CLoad)
}

// Unload leaves no address space loaded.
func Unload() {
	h := window.Self()
	if h.Space == 0 {
		return
	}
	cpu.WriteCR3(window.Config().IdleTop)
	window.UnmapSpace()
	atomic.StoreUint64(&h.Space, 0)
	stat.Inc(abi.CUnload)
}

// Pending says whether a flush was asked for and not acknowledged.
func Pending() bool {
	h := window.Self()
	return atomic.LoadUint64(&h.FlushReq) != h.FlushAck
}

// Serve answers all flush requests made so far. With a thread on the CPU the
// top entries are copied afresh, because whole tables below them may be about
// to be freed; with none the space is simply unloaded.
func Serve() {
	h := window.Self()
	req := atomic.LoadUint64(&h.FlushReq)
	if req == h.FlushAck {
		return
	}
	switch {
	case h.Slot == 0:
		Unload()
	case h.Space != 0:
		if g := generation(); g != window.GetPrivate().Generation {
			copyTop(g)
		}
		cpu.WriteCR3(window.Config().UserTop)
	}
	stat.Inc(abi.CFlush)
	atomic.StoreUint64(&h.FlushAck, req)
}

// Held says whether home has this CPU held: user memory must not be touched,
// because home changes page table entries, or a word of user memory, in several
// steps. It counts from the acknowledgement of a flush that home asked for
// after it raised the number, or from loading the space.
func Held() bool {
	if atomic.LoadUint64(&window.Global().Held) != 0 {
		return true
	}
	return window.Self().Space != 0 && atomic.LoadUint64(&window.Space().Held) != 0
}

// Abandon unloads for good: the CPU is about to stop. It is also the last act
// of a failed application kernel and relies on nothing but the hardware.
func Abandon() {
	h := window.Self()
	cpu.WriteCR3(window.Config().IdleTop)
	atomic.StoreUint64(&h.Space, 0)
	atomic.StoreUint64(&h.FlushAck, ackForever)
}

// refresh brings the loaded space's top entries up to date.
func refresh() {
	if g := generation(); g != window.GetPrivate().Generation {
		copyTop(g)
		cpu.WriteCR3(window.Config().UserTop)
	}
}

func generation() uint64 { return atomic.LoadUint64(&window.Space().Generation) }

// copyTop copies the user half of the top-level table. The generation g was
// read before: entries that change meanwhile go with a higher one. Each entry
// is one store, as the table may be in use.
func copyTop(g uint64) {
	from, to := window.Space(), window.Top()
	for i := range to {
		if v := atomic.LoadUint64(&from.Top[i]); to[i] != v {
			to[i] = v
		}
	}
	window.GetPrivate().Generation = g
}
