package main

import (
	"os"
	"testing"

	"apkern/internal/bench"
)

func TestCollect(t *testing.T) {
	outputs = t.TempDir() + "/"
	write := func(name, text string) {
		if err := os.WriteFile(outputs+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const lines = "ops 1\nvalue parallel-cycles 5\nseen 0 1\nseen 2 3\nresult 1:2\n"
	write("0", lines)
	one := bench.Benchmark{Argv: []string{"lu", "8"}}
	r := bench.Run{Values: map[string]float64{"cycles": 9}}
	if err := collect(&one, &r); err != nil || r.Values["parallel-cycles"] != 5 || r.Values["cycles"] != 9 || r.Seen[2] != 3 || r.Result != "1:2" {
		t.Errorf("one program: %+v, %v", r, err)
	}
	write("1", "text")
	write("2", lines)
	several := bench.Benchmark{Argv: []string{"lu", "8", "--", "find", "/", "--", "fft"}}
	r = bench.Run{Values: map[string]float64{"cycles": 9}}
	if err := collect(&several, &r); err != nil || len(r.Values) != 1 || r.Seen[2] != 6 || r.Result != "1:2 982d9e3eb996f559 1:2" {
		t.Errorf("several programs: %+v, %v", r, err)
	}
	write("2", "not a line of the protocol\n")
	if err := collect(&several, &r); err == nil {
		t.Error("an output that is none was accepted")
	}
}
