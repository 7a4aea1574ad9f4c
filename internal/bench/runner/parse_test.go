package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apkern/internal/bench"
)

func TestParse(t *testing.T) {
	var r bench.Run
	err := Parse("ops 20\nvalue ns/op 1.5e3\nvalue gaps/s 0\nseen 0 1\nseen 12 3\nseen 0 1\ngap 5001\ngap 7\nresult 00ff\n", &r)
	want := bench.Run{
		Ops: 20, Values: map[string]float64{"ns/op": 1500, "gaps/s": 0}, Seen: map[uint64]int64{0: 2, 12: 3},
		Gaps: []float64{5001, 7}, Result: "00ff",
	}
	if d := cmp.Diff(want, r); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, output := range []string{
		"", "ops 1\n", "value ns/op 1\n", "ops 0\nvalue ns/op 1\n", "ops 1\nvalue ns/op -1\n", "ops 1\nvalue ns/op NaN\n",
		"ops 1\nvalue ns/op +Inf\n", "ops 1\nvalue ns/op 1\nvalue ns/op 2\n", "ops x\nvalue ns/op 1\n", "ops 1\nvalue ns/op\n",
		"ops 1\nvalue ns/op 1\nhello\n", "ops 1\nvalue ns/op 1\n\n", "ops 1\nvalue ns/op 1\nseen -1 1\n", "ops 1\nvalue ns/op 1\nseen 1 x\n",
	} {
		if err := Parse(output, new(bench.Run)); err == nil {
			t.Errorf("%q was taken", output)
		}
	}
}

func TestWhere(t *testing.T) {
	away := []uint64{1, 64}
	for _, c := range []struct {
		side    bench.Side
		policy  bool
		seen    map[uint64]int64
		visits  int64
		threads int64
		good    bool
	}{
		{bench.Native, false, map[uint64]int64{0: 5}, 0, 0, true},
		{bench.Native, false, map[uint64]int64{0: 1000, 64: 1}, 0, 0, false},
		{bench.Native, false, map[uint64]int64{0: 1000}, 1, 0, false},
		{bench.Native, false, nil, 0, 0, false},
		{bench.Adopted, false, map[uint64]int64{1: 5, 64: 4, 0: 1}, 1, 1, true},
		{bench.Adopted, false, map[uint64]int64{1: 5, 64: 4, 0: 1}, 0, 1, false},
		{bench.Adopted, false, map[uint64]int64{1: 89, 0: 11}, 1, 1, false},
		{bench.Adopted, false, map[uint64]int64{2: 5}, 1, 1, false},
		{bench.Adopted, true, map[uint64]int64{1: 1, 0: 1000}, 1, 1, true},
		{bench.Adopted, true, map[uint64]int64{0: 1000}, 1, 1, true},
		{bench.Adopted, true, map[uint64]int64{0: 1000}, 0, 1, true},
		{bench.Adopted, true, map[uint64]int64{0: 1000}, 0, 0, false},
		{bench.Adopted, true, nil, 1, 1, false},
	} {
		err := Where(&bench.Benchmark{Policy: c.policy}, &bench.Run{Side: c.side, Seen: c.seen, Visits: c.visits, Threads: c.threads}, away)
		if (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCommand(t *testing.T) {
	h := &Here{Programs: "/p", scratch: "/s", apkern: "/bin/apkern", home: 1}
	for _, c := range []struct {
		name string
		side bench.Side
		argv string
		env  []string
	}{
		{"Getpid", bench.Native, "/p/call getpid", []string{"WHERE=any", "CHILD_PRELOAD=/p/witness.so"}},
		{"Getpid", bench.Adopted, "/bin/apkern run -- /p/call getpid", []string{"HOME_APICS=0x1"}},
		{"Mprotect/away=3", bench.Native, "/p/flush mprotect 0", []string{"WHERE=any"}},
		{"Mprotect/away=3", bench.Adopted, "/p/flush mprotect 3", nil},
		{"Gzip", bench.Native, "/p/spawn -o /s/gzip.out 1 gzip -n -c /s/text", []string{"CHILD_PRELOAD=/p/witness.so"}},
		{"Gzip", bench.Adopted, "/p/spawn -o /s/gzip.out 1 gzip -n -c /s/text", []string{"CHILD_PRELOAD=/p/witness.so:/lib/libstartup.so.1"}},
	} {
		list, err := bench.Select(bench.All(3), []string{c.name})
		if err != nil {
			t.Fatal(err)
		}
		argv, env := h.command(&list[0], c.side)
		if got := strings.Join(argv, " "); got != c.argv {
			t.Errorf("%s %s: %s", c.name, c.side, got)
		}
		for _, e := range c.env {
			if !slices.Contains(env, e) {
				t.Errorf("%s %s: no %s in %q", c.name, c.side, e, env)
			}
		}
		if c.side == bench.Adopted && slices.Contains(env, "WHERE=any") {
			t.Errorf("%s: an adopted run that need not be away", c.name)
		}
	}
}

// programs is a directory of programs that are shell scripts.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHere(t *testing.T) {
	dir := programs(t, map[string]string{
		"call":  "echo got $1; wc -c <text; cp hello.c out; echo 12 >$2/home/away; echo 6 >$2/home/adopted",
		"fails": "echo one >&2; echo two >&2; exit 3",
		"hangs": "sleep 1000 & echo $! >child; sleep 1000",
	})
	h, err := NewHere(&bench.Plan{Programs: dir, Limit: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h.module = t.TempDir()
	if err := os.MkdirAll(filepath.Join(h.module, "home"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, counter := range []string{"away", "adopted"} {
		if err := os.WriteFile(filepath.Join(h.module, "home", counter), []byte("5\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	native := &bench.Run{Side: bench.Native}
	out, err := h.Run(t.Context(), &bench.Benchmark{Argv: []string{"call", "x", h.module}, Output: []string{"out"}}, native)
	if err != nil || !strings.HasPrefix(out.Text, "got x\n10485") || len(out.Files) != 16 || out.Visits != 7 || out.Threads != 1 {
		t.Errorf("%v, %+v", err, out)
	}
	if _, err := h.Run(t.Context(), &bench.Benchmark{Argv: []string{"fails"}}, native); err == nil || err.Error() != "exit status 3: two" {
		t.Errorf("fails: %v", err)
	}
	h.Limit = time.Second
	if _, err := h.Run(t.Context(), &bench.Benchmark{Argv: []string{"hangs"}}, native); err == nil || err.Error() != "it took longer than 1s" {
		t.Errorf("hangs: %v", err)
	}
	var child int
	if text, err := os.ReadFile(filepath.Join(h.scratch, "child")); err != nil {
		t.Error(err)
	} else if _, err := fmt.Sscan(string(text), &child); err != nil {
		t.Error(err)
	}
	gone := func() bool {
		// What nobody waits for may stay as a zombie.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}
	for end := time.Now().Add(20 * time.Second); !gone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d, that the program started, is left", child)
		}
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.scratch); err == nil {
		t.Error("the scratch directory is left")
	}
}

func TestHereWithoutPrograms(t *testing.T) {
	if _, err := NewHere(&bench.Plan{Programs: "/no/such"}); err == nil || err.Error() != "the benchmarks' programs are not in /no/such: build them with make" {
		t.Error(err)
	}
}
