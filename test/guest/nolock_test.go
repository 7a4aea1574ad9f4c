package guest

import (
	"os"
	"strings"
	"testing"
)

// natively is for programs whose threads ask to be adopted themselves.
var natively = way{name: "one thread adopted", env: []string{"WHERE=out"}}

// patience is how many seconds a program tries that meets its danger by chance
// and ends when it met it: by default what a module that is right is worth, more
// where a broken one is to be found out.
func patience(byDefault string) string {
	if s := os.Getenv("APKERN_PATIENCE"); s != "" {
		return s
	}
	return byDefault
}

// TestNoLock belongs into a boot of a Linux without SMP, which has no LOCK
// prefixes: what it does in several steps to futex words and to page table
// entries loses nothing of what application CPUs write meanwhile. Each program
// finds losses within seconds when the holds are left out.
func TestNoLock(t *testing.T) {
	begin(t)
	if _, _, smp := linux(t); smp {
		t.Fatal("this test needs a kernel without SMP")
	}
	const manyRounds = "1000000"
	seconds := patience("8")
	holds := home(t, "hold")
	for _, c := range []struct {
		way     way
		program []string
	}{
		{preload, []string{"futexop"}},
		{natively, []string{"futexbits", "pi"}},
		{natively, []string{"futexbits", "robust"}},
		{natively, []string{"dirtybits", "protect"}},
		{natively, []string{"dirtybits", "cold"}},
		{natively, []string{"dirtybits", "refs"}},
		{natively, []string{"dirtybits", "pageout"}},
	} {
		t.Run(strings.Join(c.program, " "), func(t *testing.T) {
			argv := append([]string{program(c.program[0])}, c.program[1:]...)
			succeed(t, c.way, append(argv, manyRounds, seconds)...)
			now := home(t, "hold")
			if now == holds {
				t.Error("no application CPU was held, so the program met no danger")
			}
			holds = now
		})
	}
}
