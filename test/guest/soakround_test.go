package guest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apkern/abi"
)

// soak is what its rounds share.
type soak struct {
	t      *testing.T
	random *rand.Rand
	log    *kernelLog
	ctl    *atomic.Bool // a signal asks for the end
	online string       // CPUs, without the module

	// Loads whose native results are known.
	shell, compile func() error

	r    survived // the round that is being made
	cpus []int    // application CPUs as they should be at its end
}

// changePause is between two changes of CPUs.
const changePause = 100 * time.Millisecond

// crashPart is one in how many removals is none, but a crash.
const crashPart = 4

// round loads the module, makes a round that lasts so long, and unloads it. In every
// second one the policy says which threads are away, and when; else all always are.
func (s *soak) round(length time.Duration) {
	t := s.t
	t.Helper()
	mustLoad(t, "inject=1 stay=0")
	if s.r.Policy {
		setParameter(t, "stay", "1")
	}
	s.cpus = cpuList(t, "cpus")
	s.underLoad(length)
	s.allBack()
	setParameter(t, "stay", "0") // who hangs must be away
	s.hang()
	settle(t)
	cpusAre(t, readFile(t, sysfs+"/possible"))
	for _, cpu := range s.cpus {
		if state := cpuAttribute(t, cpu, "state"); state == "failed" {
			t.Errorf("CPU %d has failed: %s", cpu, cpuAttribute(t, cpu, "fatal"))
		}
	}
	s.r.Away = home(t, "away")
	mustUnload(t)
}

// underLoad changes CPUs and has them crash for so long, while programs run on them,
// whose results it checks.
func (s *soak) underLoad(length time.Duration) {
	t := s.t
	t.Helper()
	c := startComputing(t, preload, len(s.cpus)+1)
	loads := map[string]interface{ end() int64 }{
		"shell":    keepOn(t, s.shell),
		"signals":  inTurn(t, "storm 100", "recall 50", "longjmp 50", "stopcont 1", "fpu 10", "forks"),
		"mappings": inTurn(t, "coherence munmap 1 5", "protect 10", "coherence remap 1 20", "cowfork 5", "coherence mremap 1 5", "futexop 500"),
		"make":     keepOn(t, s.compile),
		"redis":    startRedis(t),
		"swapping": swapping(t),
	}
	s.keepChanging(length)
	var seen uint64
	if s.r.Computed, seen = c.finish(); seen&^homeAPICs(t) == 0 {
		t.Errorf("nothing was computed away: APIC ids %#x", seen)
	}
	var ending sync.WaitGroup
	var lock sync.Mutex // of the map
	for name, load := range loads {
		ending.Go(func() {
			n := load.end()
			if n == 0 {
				t.Errorf("%s: not one run came to its end", name)
			}
			lock.Lock()
			s.r.Runs[name] = n
			lock.Unlock()
		})
	}
	ending.Wait()
}

func (s *soak) keepChanging(length time.Duration) {
	defer ahead(s.t)()
	for end := time.Now().Add(length); !s.t.Failed() && !s.ctl.Load() && time.Now().Before(end); {
		s.change()
		time.Sleep(changePause)
	}
}

// swapping runs the program memory in a control group with less memory than it needs.
func swapping(t *testing.T) *repeated {
	t.Helper()
	group := controlGroup(t, "memory")
	write(t, group, "memory.max", strconv.Itoa(memoryLimit))
	w := inGroup(unbound, group)
	return keepOn(t, func() error { return succeeds(t, w, program("memory"), "limit", "2") })
}

// change makes one change to a CPU by chance: it comes, goes, or crashes and is reset.
func (s *soak) change() {
	t := s.t
	t.Helper()
	cpu := s.cpus[s.random.IntN(len(s.cpus))]
	name := strconv.Itoa(cpu)
	switch {
	case !slices.Contains(cpuList(t, "cpus"), cpu):
		mustChange(t, "add", name)
		s.r.Adds++
	case s.random.IntN(crashPart) == 0:
		commands := []uint32{abi.CmdCrashBounds, abi.CmdCrashPointer, abi.CmdCrashStack}
		inject(t, cpu, commands[s.random.IntN(len(commands))])
		s.r.Crashes++
		failed(t, cpu)
		mustChange(t, "reset", name)
		s.r.Resets++
	default:
		mustChange(t, "remove", name)
		s.r.Removes++
	}
}

// allBack adds the CPUs that are gone.
func (s *soak) allBack() {
	t := s.t
	t.Helper()
	for _, cpu := range s.cpus {
		if !slices.Contains(cpuList(t, "cpus"), cpu) {
			mustChange(t, "add", strconv.Itoa(cpu))
			s.r.Adds++
		}
	}
}

// hang has one CPU hang and resets it.
func (s *soak) hang() {
	if s.t.Failed() || s.ctl.Load() {
		return
	}
	s.t.Helper()
	cpu := hangInFlush(s.t)
	s.r.Hangs++
	mustChange(s.t, "reset", strconv.Itoa(cpu))
	s.r.Resets++
}

// joined is a list of CPUs as Linux writes it.
func joined(cpus []int) string {
	var names []string
	for _, cpu := range cpus {
		names = append(names, strconv.Itoa(cpu))
	}
	return strings.Join(names, ",")
}
