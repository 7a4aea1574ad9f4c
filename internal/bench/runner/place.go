package runner

import (
	"fmt"
	"slices"

	"apkern/internal/bench"
)

// nearlyAll is how many of a hundred passes must be away where the policy is off. A
// thread may be at home for a moment: a signal, a fault that is served there.
const nearlyAll = 90

// Where checks by the CPUs that the program found itself on, and the visits that the
// module counted, that the run was where it should be. A program that the policy keeps
// at home need not be away.
func Where(b *bench.Benchmark, r *bench.Run, application []uint64) error {
	var away, all int64
	for id, passes := range r.Seen {
		all += passes
		if slices.Contains(application, id) {
			away += passes
		}
	}
	switch {
	case all == 0:
		return fmt.Errorf("it did not say where it was")
	case r.Side == bench.Native && away > 0:
		return fmt.Errorf("%d of %d passes of the native run were on application CPUs", away, all)
	case r.Side == bench.Native && r.Visits > 0:
		return fmt.Errorf("the native run made %d visits", r.Visits)
	case r.Side == bench.Native:
		return nil
	case b.Policy && r.Threads == 0:
		return fmt.Errorf("no thread of the adopted run was adopted")
	case !b.Policy && r.Visits == 0:
		return fmt.Errorf("the adopted run made no visit")
	case !b.Policy && away*100 < all*nearlyAll:
		return fmt.Errorf("only %d of %d passes of the adopted run were away", away, all)
	}
	return nil
}
