// Package stat counts. Only this CPU writes its counters, so plain additions
// do; user space reads them through a read-only mapping.
package stat

import "apkern/kernel/window"

// Inc adds one to a counter (abi.CRun and following).
func Inc(counter int) { window.Stat().Count[counter]++ }

// Add adds n to a counter.
func Add(counter int, n uint64) { window.Stat().Count[counter] += n }
