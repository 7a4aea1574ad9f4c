package guest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"apkern/internal/kernellog"
)

// What a soak may take of the kernel's memory for good, in KiB, and of mm_structs:
// allocators' caches, however long it is.
const soakMemory = 8 << 10

// soakRound is how long the load of a round lasts.
const soakRound = time.Minute

// survived is what a round ran and survived. Its names are those of the JSON file.
type survived struct {
	Round    int              `json:"round"`
	Policy   bool             `json:"policy"`
	Seconds  float64          `json:"seconds"`
	Adds     int              `json:"cpus_added"`
	Removes  int              `json:"cpus_removed"`
	Crashes  int              `json:"crashes"`
	Hangs    int              `json:"hangs"`
	Resets   int              `json:"resets"`
	Away     int64            `json:"visits"`
	Computed int64            `json:"computed"`
	Runs     map[string]int64 `json:"runs"`
	MMs      int              `json:"mm_structs"`
	Memory   footprint        `json:"kernel_kib"`
}

// figures is the JSON file.
type figures struct {
	Linux       string     `json:"linux"`
	Seed        uint64     `json:"seed"`
	Interrupted bool       `json:"interrupted"`
	Failed      bool       `json:"failed"`
	Rounds      []survived `json:"rounds"`
}

// TestSoak makes rounds of a mixed load for $SOAK, as 90s or 12h, or until SIGINT or
// SIGTERM, while CPUs come and go and fail; between two rounds the module is unloaded. After
// each nothing may be lost. What it survived is in soak/soak.json and soak/soak.txt
// beside this binary, also when it fails.
func TestSoak(t *testing.T) {
	length := soakLength(t)
	mustUnload(t)
	swapOn(t)
	seed := soakSeed(t)
	s := &soak{t: t, random: rand.New(rand.NewPCG(seed, 0)), log: openKernelLog(t), online: readFile(t, onlineFile)}
	s.ctl = interrupted(t)
	s.shell = likeNative(t, preload, "sh", "-c", "for i in 1 2 3; do echo $i | cat; done; ls / | wc -l; exit 3")
	s.compile = compiling(t)
	all := figures{Linux: release(t), Seed: seed}
	defer func() {
		all.Interrupted, all.Failed = s.ctl.Load(), t.Failed()
		fmt.Print(report(t, all))
	}()
	end := time.Now().Add(length)
	for round := 1; !t.Failed() && !s.ctl.Load() && (round == 1 || time.Now().Before(end)); round++ {
		started := time.Now()
		s.r = survived{Round: round, Policy: round%2 == 0, Runs: map[string]int64{}}
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			s.t, s.log.t = t, t
			s.round(min(soakRound, time.Until(end)))
		})
		s.t, s.log.t = t, t
		s.r.Seconds = time.Since(started).Seconds()
		if !t.Failed() {
			s.r.MMs, s.r.Memory = memoryMaps(t), readFootprint(t)
		}
		all.Rounds = append(all.Rounds, s.r)
		if t.Failed() {
			t.Logf("kernel log: %s", strings.Join(s.log.lines(), "\n"))
		} else {
			s.nothingLost(all.Rounds)
		}
		report(t, all)
	}
}

func soakLength(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return soakRound
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("SOAK=%s: how long, as 90s, 20m or 12h", text)
	}
	return d
}

// soakSeed is what a soak's choices come from, $SOAK_SEED or another one each time.
func soakSeed(t *testing.T) uint64 {
	seed := environmentNumber(t, "SOAK_SEED", int(time.Now().Unix()))
	t.Logf("SOAK_SEED=%d", seed)
	return uint64(seed)
}

func release(t *testing.T) string {
	t.Helper()
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(uts.Release[:])
}

// interrupted is set by the signals that ask a soak to end: the round comes to its end early
// and is judged as always.
func interrupted(t *testing.T) *atomic.Bool {
	var is atomic.Bool
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	t.Cleanup(func() { signal.Stop(signals) })
	go func() {
		<-signals
		is.Store(true)
	}()
	return &is
}

// nothingLost checks what a round leaves behind: the module is gone, Linux has its
// CPUs, the log has nothing to report, and the memory is that of the first round.
func (s *soak) nothingLost(rounds []survived) {
	t := s.t
	t.Helper()
	if err := untouched(s.online); err != nil {
		t.Error(err)
	}
	first, last := rounds[0], rounds[len(rounds)-1]
	grown(t, first.Memory, last.Memory, soakMemory)
	if last.MMs-first.MMs > growth {
		t.Errorf("%d mm_structs after the first round, %d after the last", first.MMs, last.MMs)
	}
	lines := s.log.lines()
	failures := 0
	for _, line := range lines {
		if kernellog.CPUFailure(line) {
			failures++
		}
		if line == messagesLost {
			t.Error("the kernel's log is not whole")
		}
	}
	if failures != last.Crashes+last.Hangs {
		t.Errorf("%d CPUs failed, %d were made to:\n%s", failures, last.Crashes+last.Hangs, strings.Join(lines, "\n"))
	}
	for _, complaint := range kernellog.Find(lines) {
		t.Errorf("kernel log: %s", complaint)
	}
}

// report writes what there is so far, and returns it as a table.
func report(t *testing.T, all figures) string {
	t.Helper()
	dir := filepath.Join(build, "soak")
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	table := all.table()
	for name, data := range map[string]string{"soak.json": string(text) + "\n", "soak.txt": table} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Error(err)
		}
	}
	return table
}

// table has a line for each round, and one for all of them.
func (f figures) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "round\tpolicy\tseconds\tadded\tremoved\tcrashed\thung\treset\tvisits\tcomputed\tshell\tsignals\tmappings\tmake\tredis\tswapping\tmms\tkernel KiB\t\n")
	sum := survived{Runs: map[string]int64{}}
	line := func(name, policy string, r survived) {
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t", name, policy, r.Seconds, r.Adds, r.Removes, r.Crashes, r.Hangs, r.Resets, r.Away, r.Computed)
		for _, load := range []string{"shell", "signals", "mappings", "make", "redis", "swapping"} {
			fmt.Fprintf(w, "%d\t", r.Runs[load])
		}
		fmt.Fprintf(w, "%d\t%d\t\n", r.MMs, r.Memory.total())
	}
	for _, r := range f.Rounds {
		line(fmt.Sprint(r.Round), map[bool]string{false: "off", true: "on"}[r.Policy], r)
		sum.Seconds += r.Seconds
		sum.Adds += r.Adds
		sum.Removes += r.Removes
		sum.Crashes += r.Crashes
		sum.Hangs += r.Hangs
		sum.Resets += r.Resets
		sum.Away += r.Away
		sum.Computed += r.Computed
		for load, n := range r.Runs {
			sum.Runs[load] += n
		}
		sum.MMs, sum.Memory = r.MMs, r.Memory
	}
	line("all", "", sum)
	_ = w.Flush() // to memory
	verdict := "nothing was lost"
	if f.Failed {
		verdict = "FAILED"
	}
	if f.Interrupted {
		verdict += "; ended by a signal"
	}
	fmt.Fprintf(&text, "Linux %s, SOAK_SEED=%d: %s\n", f.Linux, f.Seed, verdict)
	return text.String()
}
