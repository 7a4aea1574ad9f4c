// Package sched decides which thread runs next on this CPU and for how long.
package sched

import (
	"sync/atomic"

	"apkern/abi"
)

// The run queue is a bounded queue of many producers and many consumers with a
// ticket in each cell (abi.Runq): a cell whose Seq equals position p is free
// for the producer that takes p, one with p+1 holds its entry, and consuming
// it sets p+RunqCells. All positions wrap.

// Push appends a slot index. False: the queue is full. Any CPU may call it.
func Push(q *abi.Runq, slot uint32) bool {
	for {
		pos := atomic.LoadUint32(&q.Tail)
		c := &q.Cell[pos%abi.RunqCells]
		switch seq := atomic.LoadUint32(&c.Seq); {
		case seq == pos:
			if atomic.CompareAndSwapUint32(&q.Tail, pos, pos+1) {
				atomic.StoreUint32(&c.Slot, slot)
				atomic.StoreUint32(&c.Seq, pos+1)
				return true
			}
		case int32(seq-pos) < 0:
			return false // still holds the entry of a round ago
		}
	}
}

// Pop takes the oldest entry. Any CPU may call it.
func Pop(q *abi.Runq) (slot uint32, ok bool) {
	for {
		pos, slot, ok := peek(q)
		if !ok {
			return 0, false
		}
		if take(q, pos) {
			return slot, true
		}
	}
}

// peek returns the oldest entry and its position without taking it. The entry
// is only meaningful if take of that position succeeds.
func peek(q *abi.Runq) (pos, slot uint32, ok bool) {
	for {
		pos = atomic.LoadUint32(&q.Head)
		c := &q.Cell[pos%abi.RunqCells]
		switch seq := atomic.LoadUint32(&c.Seq); {
		case seq == pos+1:
			// After the ticket: before it, this may be the entry of a round ago.
			return pos, atomic.LoadUint32(&c.Slot), true
		case int32(seq-(pos+1)) < 0:
			return 0, 0, false // not filled yet
		}
	}
}

// take consumes the entry at pos. False: somebody else did.
func take(q *abi.Runq, pos uint32) bool {
	if !atomic.CompareAndSwapUint32(&q.Head, pos, pos+1) {
		return false
	}
	atomic.StoreUint32(&q.Cell[pos%abi.RunqCells].Seq, pos+abi.RunqCells)
	return true
}

// Waiting returns how many entries the queue holds, stale hints included. It
// may be out of date when it returns.
func Waiting(q *abi.Runq) uint32 {
	head := atomic.LoadUint32(&q.Head)
	n := atomic.LoadUint32(&q.Tail) - head
	return min(n, abi.RunqCells)
}
