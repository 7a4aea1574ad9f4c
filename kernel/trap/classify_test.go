//go:build !metal

package trap

import (
	"testing"

	"apkern/abi"
)

func TestClassifyCoversEveryVector(t *testing.T) {
	want := map[uint64]Action{
		vecPageFault: ActPageFault, VecSyscall: ActSyscall,
		abi.VecWake: ActWake, abi.VecFlush: ActFlush, abi.VecRecall: ActRecall,
		abi.VecResched: ActResched, abi.VecTimer: ActTimer, abi.VecSpurious: ActSpurious,
	}
	for v := range uint64(VecSyscall + 100) {
		w, ok := want[v]
		if !ok {
			w = ActOther
			if v < exceptions {
				w = ActException
			}
		}
		if got := Classify(v); got != w {
			t.Errorf("vector %#x: action %d, want %d", v, got, w)
		}
	}
	if got := Classify(^uint64(0)); got != ActOther {
		t.Errorf("no vector at all: action %d", got)
	}
}
