package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLimitsOfSubtests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits.md")
	rows := "| suite | test | why |\n|---|---|---|\n| `go/*` | `TestA*`, `TestB` | CPUs. |\n| `go/net` | `TestC` | |\n"
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	limits, err := readLimits(file)
	if err != nil {
		t.Fatal(err)
	}
	for test, want := range map[string]bool{
		"TestA": true, "TestAll": true, "TestAll/one/two": true, "TestB/x": true,
		"TestBoth": false, "TestX/TestB": false, "TestC": false,
	} {
		if got := explains(limits, "go/net", test) != nil; got != want {
			t.Errorf("%s is explained: %v", test, got)
		}
	}
	if explains(limits, "posix/net", "TestB") != nil {
		t.Error("another suite's test is explained")
	}
}

func TestEachRefusesBadLists(t *testing.T) {
	for _, line := range []string{"name without a command\n", "name\ttrue\tsoon\n"} {
		file := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(file, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := eachMain([]string{"1s", "1", file}); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}
