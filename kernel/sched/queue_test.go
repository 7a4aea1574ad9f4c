//go:build !metal

package sched

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"apkern/abi"
	"pgregory.net/rapid"
)

// newQueue returns an empty queue whose positions begin at start.
func newQueue(start uint32) *abi.Runq {
	q := &abi.Runq{Head: start, Tail: start}
	for i := range uint32(abi.RunqCells) {
		pos := start + i
		q.Cell[pos%abi.RunqCells].Seq = pos
	}
	return q
}

func TestQueueIsFIFO(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.OneOf(rapid.Just(uint32(0)), rapid.Just(^uint32(300)), rapid.Uint32()).Draw(t, "start")
		q, model := newQueue(start), []uint32{}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				v := rapid.Uint32().Draw(t, "slot")
				if got, want := Push(q, v), len(model) < abi.RunqCells; got != want {
					t.Fatalf("Push with %d entries = %v", len(model), got)
				} else if got {
					model = append(model, v)
				}
			},
			"fill": func(t *rapid.T) {
				for len(model) < abi.RunqCells && Push(q, uint32(len(model))) {
					model = append(model, uint32(len(model)))
				}
			},
			"pop": func(t *rapid.T) {
				v, ok := Pop(q)
				if ok != (len(model) > 0) || ok && v != model[0] {
					t.Fatalf("Pop = %d, %v with %v waiting", v, ok, model)
				}
				if ok {
					model = model[1:]
				}
			},
			"": func(t *rapid.T) {
				if got := Waiting(q); got != uint32(len(model)) {
					t.Fatalf("Waiting = %d, want %d", got, len(model))
				}
			},
		})
	})
}

// Every entry comes out exactly once, and those of one producer in order as
// far as one consumer can see.
func TestQueueManyProducersAndConsumers(t *testing.T) {
	const producers, consumers, each = 4, 4, 5000
	q := newQueue(^uint32(1000))
	var seen [producers * each]atomic.Uint32
	var taken atomic.Uint32
	var wg sync.WaitGroup
	for p := range uint32(producers) {
		wg.Go(func() {
			for i := range uint32(each) {
				for !Push(q, p*each+i) {
					runtime.Gosched()
				}
			}
		})
	}
	for range consumers {
		wg.Go(func() {
			last := [producers]int{-1, -1, -1, -1}
			for taken.Load() < producers*each {
				v, ok := Pop(q)
				if !ok {
					runtime.Gosched()
					continue
				}
				taken.Add(1)
				seen[v].Add(1)
				if p, i := v/each, int(v%each); i <= last[p] {
					t.Errorf("entry %d of producer %d after %d", i, p, last[p])
				} else {
					last[p] = i
				}
			}
		})
	}
	wg.Wait()
	for v := range seen {
		if n := seen[v].Load(); n != 1 {
			t.Fatalf("entry %d came out %d times", v, n)
		}
	}
}

// An entry seen by peek is only taken if nobody else took it first.
func TestTakeLosesToPop(t *testing.T) {
	q := newQueue(0)
	Push(q, 7)
	pos, slot, ok := peek(q)
	if !ok || slot != 7 {
		t.Fatalf("peek = %d, %v", slot, ok)
	}
	if _, ok := Pop(q); !ok {
		t.Fatal("Pop found nothing")
	}
	if take(q, pos) {
		t.Error("an entry was taken twice")
	}
}
