package guest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// fuzzChunk is how many rounds one run of a fuzzing program makes.
const fuzzChunk = 1000

// fuzzRounds returns how many rounds a fuzzing test makes: $FUZZ_ROUNDS, or so many.
func fuzzRounds(t *testing.T, otherwise int) int {
	return environmentNumber(t, "FUZZ_ROUNDS", otherwise)
}

// fuzzSeed returns $FUZZ_SEED, or always the same: a change is judged by what it
// changed.
func fuzzSeed(t *testing.T) int {
	seed := environmentNumber(t, "FUZZ_SEED", 77)
	t.Logf("FUZZ_SEED=%d", seed)
	return seed
}

func environmentNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// left is what programs may leave behind when all have ended.
type left struct {
	mms    int
	memory footprint
}

// leftBy looks at it when the module has nothing left.
func leftBy(t *testing.T) left {
	t.Helper()
	settle(t)
	return left{memoryMaps(t), readFootprint(t)}
}

// fuzzMemory is what the kernel's memory may grow by, in KiB, however many rounds there are.
const fuzzMemory = 8 << 10

// sound checks that what was done to the module left nothing behind: begin looks
// for threads, slots and complaints, this for memory and for CPUs that do not run programs.
func sound(t *testing.T, before left) {
	t.Helper()
	after := leftBy(t)
	t.Logf("before: %d mm_structs, %v; after: %d, %v", before.mms, before.memory, after.mms, after.memory)
	// A kernel that watches itself keeps what is freed for a while.
	if after.mms-before.mms > growth && !watched() {
		t.Errorf("%d mm_structs before, %d after", before.mms, after.mms)
	}
	grown(t, before.memory, after.memory, fuzzMemory)
	succeed(t, preload, program("parallel"), strconv.Itoa(len(cpuList(t, "cpus"))), "50")
}

// byItself is a way for programs whose threads ask to be adopted themselves, so
// that nothing differs from a native run but that.
var byItself = way{name: "adopted", env: []string{"WHERE=out"}}

// TestFuzzDevice: right and wrong requests and mappings, files that are closed
// meanwhile, forks and execs: each answer is the promised one, and nothing is left.
func TestFuzzDevice(t *testing.T) {
	begin(t)
	seed, rounds := fuzzSeed(t), fuzzRounds(t, 20000)
	var mask uint64
	for _, cpu := range cpuList(t, "cpus") {
		mask |= 1 << cpu
	}
	succeed(t, byItself, program("fuzzdev"), strconv.Itoa(seed), "0", "100", fmt.Sprintf("%#x", mask))
	before, adopted, away := leftBy(t), home(t, "adopted"), home(t, "away")
	for first := 0; first < rounds && !t.Failed(); first += fuzzChunk {
		succeed(t, byItself, program("fuzzdev"), strconv.Itoa(seed), strconv.Itoa(first), strconv.Itoa(min(fuzzChunk, rounds-first)), fmt.Sprintf("%#x", mask))
	}
	if home(t, "adopted") == adopted || home(t, "away") == away {
		t.Error("nothing was adopted, or nothing went away")
	}
	sound(t, before)
}

// hostile runs the program natively and adopted; what came of each round must be the
// same.
func hostile(t *testing.T, args ...string) {
	t.Helper()
	argv := append([]string{program("hostile")}, args...)
	want := run(t, native, command{argv: argv})
	if want.Status != 0 {
		t.Fatalf("natively: status %d: %s", want.Status, want.Stderr)
	}
	compareRounds(t, want.Stdout, succeed(t, byItself, argv...).Stdout)
}

// hostileRounds makes random rounds, in chunks.
func hostileRounds(t *testing.T, mode string, rounds int) {
	t.Helper()
	seed := fuzzSeed(t)
	before := leftBy(t)
	for first := 0; first < rounds && !t.Failed(); first += fuzzChunk {
		hostile(t, mode, strconv.Itoa(seed), strconv.Itoa(first), strconv.Itoa(min(fuzzChunk, rounds-first)))
	}
	if t.Failed() {
		t.Logf("repeat with FUZZ_SEED=%d", seed)
	}
	sound(t, before)
}

// compareRounds reports the rounds that differ, the first of them in full.
func compareRounds(t *testing.T, native, away string) {
	t.Helper()
	const shown = 20
	n, a := strings.Split(native, "\n"), strings.Split(away, "\n")
	if len(n) != len(a) {
		t.Fatalf("%d rounds natively, %d away", len(n), len(a))
	}
	differ := 0
	for i := range n {
		if n[i] == a[i] {
			continue
		}
		if differ++; differ <= shown {
			t.Errorf("native: %s\naway:   %s", n[i], a[i])
		}
	}
	if differ > shown {
		t.Errorf("%d rounds differ", differ)
	}
}

// TestHostileCode: every vector, every privileged instruction, every odd selector
// comes to the same as natively.
func TestHostileCode(t *testing.T) {
	begin(t)
	before := leftBy(t)
	hostile(t, "each")
	sound(t, before)
}

// TestHostileRegisters: so does code with registers that a handler or a tracer
// set at random: addresses that are not canonical, odd flags and selectors, wrong
// extended state.
func TestHostileRegisters(t *testing.T) {
	begin(t)
	for _, mode := range []string{"sigreturn", "ptrace"} {
		t.Run(mode, func(t *testing.T) { hostileRounds(t, mode, fuzzRounds(t, 3000)) })
	}
}
