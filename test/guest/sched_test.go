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

// within checks that a part of the whole is what it should be, but for a part of itself.
func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if got < want*(1-tolerance) || got > want*(1+tolerance) {
		t.Errorf("%s: %.4f of all CPU time, %.4f is right", what, got, want)
	}
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
	all := shares(t, 2000, strconv.Itoa(threads))
	sum, used := total(all), []int{}
	for i, p := range all {
		within(t, fmt.Sprintf("thread %d", i), p.time/sum, 1.0/threads, 0.04)
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
	all := shares(t, 3000, fmt.Sprint(each), fmt.Sprint(each, "n10"))
	sum := total(all)
	for i, p := range all[:each] {
		within(t, fmt.Sprintf("thread %d of nice 0", i), p.time/sum, weight0/(weight0+weight10)/each, 0.05)
	}
	for i, p := range all[each:] {
		within(t, fmt.Sprintf("thread %d of nice 10", i), p.time/sum, weight10/(weight0+weight10)/each, 0.2)
	}
}

// TestPinnedShares: threads bound to a CPU stay there, and get what they are owed
// like those that are free.
func TestPinnedShares(t *testing.T) {
	begin(t)
	ours := cpuList(t, "cpus")
	const pinned, free = 2, 7
	all := shares(t, 2000, fmt.Sprint(pinned, "c", ours[0]), fmt.Sprint(free))
	sum := total(all)
	for i, p := range all {
		within(t, fmt.Sprintf("thread %d", i), p.time/sum, 1.0/(pinned+free), 0.06)
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
	before := counters(t, "irq_timer")
	if before == 0 {
		t.Error("eight threads took turns without a timer")
	}
	const slices, changes = 250, 5 // of a second; while the program starts and ends it has two threads
	shares(t, 1000, "1")
	if n := counters(t, "irq_timer") - before; n > changes {
		t.Errorf("one thread alone took %d timer interrupts; with slices it would be %d", n, slices)
	}
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
	all, n := turns("12")
	sum, athome := total(all), 0
	for i, p := range all {
		within(t, fmt.Sprintf("thread %d", i), p.time/sum, 1.0/12, 0.1)
		if slices.ContainsFunc(p.ids, func(id int) bool { return !slices.Contains(ours, id) }) {
			athome++
		}
	}
	if n == 0 || athome < len(all)/2 {
		t.Errorf("stay=1: %d turns at home, %d of %d threads had one", n, athome, len(all))
	}
	if _, n := turns(fmt.Sprint(len(ours) - 1)); n != 0 {
		t.Errorf("%d turns at home although a CPU was idle", n)
	}
	all, _ = turns(fmt.Sprint("6c", ours[0]))
	for i, p := range all {
		if !slices.Equal(p.ids, ours[:1]) {
			t.Errorf("thread %d of those bound to CPU %d was on %v", i, ours[0], p.ids)
		}
	}
}
