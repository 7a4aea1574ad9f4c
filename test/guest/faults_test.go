package guest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFaultAround: threads that are away are served pages ahead of those that they
// ask for, and see nothing of it but, within a bound, what is resident. The
// program says the same natively, adopted, and adopted with the parameter off.
func TestFaultAround(t *testing.T) {
	begin(t)
	for _, c := range []struct {
		name  string
		ahead int64 // pages that must have been served ahead, at least
	}{
		{"order", 800}, {"bound", 500}, {"scattered", 1300}, {"edges", 260}, {"guard", 100}, {"dontneed", 1000}, {"cow", 1000},
		{"exact", 300}, {"zero", 500}, {"file", 0}, {"userfault", 30},
	} {
		t.Run(c.name, func(t *testing.T) { compareFaults(t, c.ahead, c.name) })
	}
	// The CPU that the thread came from keeps the address space loaded, and is not interrupted for a flush.
	t.Run("dontneed while CPUs poll", func(t *testing.T) {
		setParameter(t, "poll_us", "20000")
		compareFaults(t, 1000, "dontneed")
	})
	t.Run("limit", func(t *testing.T) {
		group := controlGroup(t, "memory")
		for _, w := range []way{native, viaRun} {
			write(t, group, "memory.max", "max")
			succeed(t, inGroup(w, group), program("around"), "limit", group)
		}
	})
}

func compareFaults(t *testing.T, least int64, args ...string) {
	t.Helper()
	argv := append([]string{program("around")}, args...)
	want := succeed(t, native, argv...)
	for _, around := range []string{"64", "3", "0"} {
		setParameter(t, "fault_around", around)
		before, served := home(t, "fault_ahead"), home(t, "fault_served")
		got := succeed(t, viaRun, argv...)
		ahead, served := home(t, "fault_ahead")-before, home(t, "fault_served")-served
		t.Logf("fault_around=%s: %d faults served, %d pages ahead of them", around, served, ahead)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fault_around=%s: differs from native (-native +adopted):\n%s", around, diff)
		}
		switch {
		case around == "0" && ahead != 0:
			t.Errorf("fault_around=0: %d pages were served ahead", ahead)
		case around == "64" && ahead < least:
			t.Errorf("%d pages were served ahead, not %d", ahead, least)
		}
	}
}

// TestFileFaults: Linux maps what it has of a file around a page that is read, for
// threads that are away as for others: they need few passages.
func TestFileFaults(t *testing.T) {
	begin(t)
	const pages, most = 1024, 400 // 100 more are written, and a program begins with some
	before := home(t, "fault_served")
	succeed(t, viaRun, program("around"), "file")
	if n := home(t, "fault_served") - before; n > most {
		t.Errorf("%d faults were served for a file of %d pages, at the most %d are expected", n, pages, most)
	}
}
