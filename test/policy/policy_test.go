package policy

import (
	"testing"
	"time"
)

// passages are those of fast machines and of slow emulators.
var passages = []time.Duration{2 * time.Microsecond, 20 * time.Microsecond, 200 * time.Microsecond}

// TestComputing: a thread that computes is away after two ticks, and loses a passage.
func TestComputing(t *testing.T) {
	driver := buildDriver(t)
	for _, passage := range passages {
		p := usual(passage, time.Second, alone, time.Hour)
		if o := p.run(t, driver); o.left == 0 || o.left > 2*p.tick || o.passages != 1 {
			t.Errorf("passage %v: it left at %v, %d passages", passage, o.left, o.passages)
		}
	}
}

// TestCalling: a thread that only makes calls never leaves, alone or in a crowd.
func TestCalling(t *testing.T) {
	driver := buildDriver(t)
	for _, passage := range passages {
		for _, crowd := range []time.Duration{alone, crowded} {
			if o := usual(passage, time.Second, crowd, passage).run(t, driver); o.leaves != 0 {
				t.Errorf("passage %v: it left %d times", passage, o.leaves)
			}
		}
	}
}

// TestCrowd: in a crowd a thread is away whose passages take up to a fourth of what it
// computes; alone it is not.
func TestCrowd(t *testing.T) {
	driver := buildDriver(t)
	for _, passage := range passages {
		if o := usual(passage, time.Second, crowded, 6*passage).run(t, driver); o.away < o.total()/2 {
			t.Errorf("passage %v, in a crowd: away for %v of %v", passage, o.away, o.total())
		}
		if o := usual(passage, time.Second, alone, 6*passage).run(t, driver); o.leaves != 0 {
			t.Errorf("passage %v, alone: it left %d times", passage, o.leaves)
		}
	}
}

// checkLoss: of what a thread loses that is alone, all but one passage and one
// try-out a stay is the share of its time away that it may lose.
func checkLoss(t *testing.T, p program, o outcome) {
	t.Helper()
	share := func(d time.Duration) time.Duration { return d * time.Duration(p.loss) / 1000 }
	bound := share(o.away) + time.Duration(o.stays+1)*(share(p.stay)+p.passage)
	if o.lost > bound || p.passage <= 20*time.Microsecond && o.lost > o.total()/50 {
		t.Errorf("%+v: lost %v of %v, %d stays", p, o.lost, o.total(), o.stays)
	}
}

// TestPhases: a program that changes between computing and calling follows, whatever
// the period, and loses little by it.
func TestPhases(t *testing.T) {
	driver := buildDriver(t)
	for _, passage := range passages {
		for period := time.Millisecond; period < 4*time.Second; period = period * 7 / 3 {
			p := usual(passage, 10*time.Second, alone, 3*time.Microsecond)
			p.period = period
			o := p.run(t, driver)
			checkLoss(t, p, o)
			if period > 500*time.Millisecond && o.away < o.total()/3 {
				t.Errorf("%+v: away for %v of %v", p, o.away, o.total())
			}
			if n := int(p.limit / (p.stay + p.tick)); o.leaves > n {
				t.Errorf("%+v: it left %d times", p, o.leaves)
			}
		}
	}
}

// TestBoundary: a program whose calls come as often as makes it worth to leave, or
// not, does not swing, at a steady pace or at one that varies, alone or in a crowd;
// nor does one in a crowd that comes and goes.
func TestBoundary(t *testing.T) {
	driver := buildDriver(t)
	for _, crowd := range []time.Duration{alone, crowded, 3 * time.Millisecond, 50 * time.Millisecond} {
		for _, passage := range passages {
			for pace := passage; pace < 20*time.Millisecond; pace = pace * 9 / 8 {
				for _, varies := range []int{0, 30, 100} {
					p := usual(passage, 5*time.Second, crowd, pace)
					p.varies = varies
					o := p.run(t, driver)
					if o.leaves > 60 {
						t.Errorf("%+v: it left %d times", p, o.leaves)
					}
					if crowd == alone {
						checkLoss(t, p, o)
					}
				}
			}
		}
	}
}

// TestBacksOff: a program whose try-outs fail must compute for longer and longer until
// the next one; where they pay the rule begins again.
func TestBacksOff(t *testing.T) {
	driver := buildDriver(t)
	p := usual(20*time.Microsecond, 10*time.Second, alone, 3*time.Microsecond)
	p.period = 9 * time.Millisecond // computes for too short to pay for the calls that follow
	p.tick = time.Millisecond
	o := p.run(t, driver)
	if o.stays == 0 || o.stays > 4 || o.failures != o.stays {
		t.Errorf("%d try-outs, %d of them in vain", o.stays, o.failures)
	}
	p.period = 500 * time.Millisecond // now each pays
	if o := p.run(t, driver); o.failures > 1 || o.stays < 5 {
		t.Errorf("%d try-outs, %d of the last in vain", o.stays, o.failures)
	}
}
