package guest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// portion is what share says of one thread: CPU time in microseconds, pieces of work
// and the APIC ids it saw.
type portion struct {
	time, pieces float64
	ids          []int
}

// shares runs the program share for that many milliseconds.
func shares(t *testing.T, milliseconds int, groups ...string) []portion {
	t.Helper()
	o := succeed(t, preload, append([]string{program("share"), strconv.Itoa(milliseconds)}, groups...)...)
	var all []portion
	for _, line := range strings.Split(strings.TrimSpace(o.Stdout), "\n") {
		f := strings.Fields(line)
		var p portion
		for i, s := range f {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatalf("share: %q", line)
			}
			switch i {
			case 0:
				p.time = n
			case 1:
				p.pieces = n
			default:
				p.ids = append(p.ids, int(n))
			}
		}
		all = append(all, p)
	}
	return all
}

func total(all []portion) (sum float64) {
	for _, p := range all {
		sum += p.time
	}
	return sum
}

// owed is what a thread should get of all CPU time, and within which part of that.
type owed struct{ share, tolerance float64 }

// settles checks that threads get what they are owed, in the order of the groups. A host
// that does not run a virtual CPU for a tenth of a second charges that to one
// thread, so that a short time may not tell: a longer one must then. What is
// unfair stays so.
func settles(t *testing.T, want []owed, groups ...string) []portion {
	t.Helper()
	var wrong []string
	for _, milliseconds := range []int{2000, 6000, 20000} {
		all := shares(t, milliseconds, groups...)
		sum := total(all)
		wrong = nil
		for i, p := range all {
			if got, o := p.time/sum, want[i]; got < o.share*(1-o.tolerance) || got > o.share*(1+o.tolerance) {
				wrong = append(wrong, fmt.Sprintf("thread %d: %.4f of all CPU time, %.4f is right", i, got, o.share))
			}
		}
		if wrong == nil {
			return all
		}
		t.Logf("after %d ms: %v", milliseconds, wrong)
	}
	t.Error("the shares are not what they should be")
	return nil
}

// equal is what that many threads are owed that are alike.
func equal(threads int, tolerance float64) []owed {
	return slices.Repeat([]owed{{1 / float64(threads), tolerance}}, threads)
}

// counters sums a counter of all application CPUs.
func counters(t *testing.T, name string) (sum int64) {
	t.Helper()
	for _, cpu := range cpuList(t, "cpus") {
		n, err := strconv.ParseInt(cpuAttribute(t, cpu, "counters/"+name), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// TestShares: more threads than application CPUs share them equally.
func TestShares(t *testing.T) {
	begin(t)
	const threads = 16
	used := []int{}
	for _, p := range settles(t, equal(threads, 0.04), strconv.Itoa(threads)) {
		used = append(used, p.ids...)
	}
	for _, cpu := range cpuList(t, "cpus") {
		if !slices.Contains(used, cpu) {
			t.Errorf("nobody was on CPU %d", cpu)
		}
	}
	if counters(t, "preempt") == 0 {
		t.Error("no time slice ended")
	}
}

// TestNice: threads share by Linux's weights, and a nice value that another
// thread sets counts for one that is away.
func TestNice(t *testing.T) {
	begin(t)
	const each, weight0, weight10 = 6, 1024.0, 110.0
	want := append(slices.Repeat([]owed{{weight0 / (weight0 + weight10) / each, 0.05}}, each),
		slices.Repeat([]owed{{weight10 / (weight0 + weight10) / each, 0.2}}, each)...)
	settles(t, want, fmt.Sprint(each), fmt.Sprint(each, "n10"))
}

// TestPinnedShares: threads bound to a CPU stay there, and get what they are owed
// like those that are free.
func TestPinnedShares(t *testing.T) {
	begin(t)
	ours := cpuList(t, "cpus")
	const pinned, free = 2, 7
	for i, p := range settles(t, equal(pinned+free, 0.06), fmt.Sprint(pinned, "c", ours[0]), fmt.Sprint(free)) {
		if i < pinned && !slices.Equal(p.ids, ours[:1]) {
			t.Errorf("a thread bound to CPU %d was on %v", ours[0], p.ids)
		}
	}
}

// TestSleeper: a thread that sleeps and runs for moments does not wait for all that
// compute, as it would in a queue.
func TestSleeper(t *testing.T) {
	begin(t)
	const slice, length, computing = 20, 3000, 15
	setParameter(t, "slice_us", strconv.Itoa(slice*1000))
	all := shares(t, length, fmt.Sprint(computing), "1s")
	inAQueue := float64(length) / (slice * computing / float64(len(cpuList(t, "cpus"))))
	if got := all[computing].pieces; got < 2*inAQueue {
		t.Errorf("it ran %.0f times; %.0f times in a queue", got, inAQueue)
	}
}

// TestNoTimerAlone: a thread that keeps nobody waiting is not interrupted, and the
// interrupts end when its company does.
func TestNoTimerAlone(t *testing.T) {
	begin(t)
	shares(t, 200, "8")
	if counters(t, "irq_timer") == 0 {
		t.Error("eight threads took turns without a timer")
	}
	// It shares the CPUs with its main thread, which is there for moments and may keep
	// it waiting in one of them.
	var n int64
	for range 5 {
		before := counters(t, "irq_timer")
		shares(t, 1000, "1")
		if n = counters(t, "irq_timer") - before; n == 0 {
			return
		}
	}
	t.Errorf("one thread alone took %d timer interrupts", n)
}

// TestTurns: with all application CPUs full a home CPU that has nothing to do takes
// part; not with stay=0, and not for threads that are bound to application CPUs.
func TestTurns(t *testing.T) {
	begin(t)
	ours := cpuList(t, "cpus")
	turns := func(groups ...string) ([]portion, int64) {
		before := home(t, "home_turn")
		all := shares(t, 3000, groups...)
		return all, home(t, "home_turn") - before
	}
	if _, n := turns("12"); n != 0 {
		t.Errorf("stay=0: %d turns at home", n)
	}
	setParameter(t, "stay", "1")
	before, idle, athome := home(t, "home_turn"), home(t, "turn_idle"), 0
	all := settles(t, equal(12, 0.1), "12")
	n := home(t, "home_turn") - before
	for _, p := range all {
		if slices.ContainsFunc(p.ids, func(id int) bool { return !slices.Contains(ours, id) }) {
			athome++
		}
	}
	if n == 0 || athome < len(all)/2 {
		t.Errorf("stay=1: %d turns at home, %d of %d threads had one", n, athome, len(all))
	}
	if home(t, "turn_idle") == idle {
		t.Error("stay=1: no thread was asked home when its home CPU ran out of work")
	}
	// One that sleeps again and again finds application CPUs full when it is about to leave.
	instead := number(t, sysfs+"/decline/turn")
	// It may never get away: home is free for it.
	succeed(t, unbound, program("share"), "3000", fmt.Sprint(len(ours)), "2s")
	after := number(t, sysfs+"/decline/turn")
	t.Logf("%d turns of threads that waited, %d of threads that were about to leave", n, after-instead)
	if after == instead {
		t.Error("no thread that was about to leave had its turn instead")
	}
	if _, n := turns(fmt.Sprint(len(ours) - 1)); n != 0 || number(t, sysfs+"/decline/turn") != after {
		t.Errorf("%d turns at home, or some instead of leaving, although a CPU was idle", n)
	}
	all, _ = turns(fmt.Sprint("6c", ours[0]))
	for i, p := range all {
		if !slices.Equal(p.ids, ours[:1]) {
			t.Errorf("thread %d of those bound to CPU %d was on %v", i, ours[0], p.ids)
		}
	}
}
