package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFollow(t *testing.T) {
	for text, want := range map[string]string{
		"== install\r\n# true\r\n== all steps passed\r\n": "",
		"== install\r\nFAILED: exit status 1: false\r\n":  "failed: exit status 1: false",
		"Reading 5%\rFAILED: a\r\n":                       "failed: a",
		"FAILED: a\n== all steps passed\n":                "failed: a",
		"== install\n":                                    "the transcript ends early",
		"":                                                "the transcript ends early",
		"== all steps passed\nand then the machine crashed": "the transcript ends early",
	} {
		got := ""
		if err := follow(strings.NewReader(text), io.Discard); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMakeDiskNeedsPackages(t *testing.T) {
	trial := trial{old: t.TempDir(), new: t.TempDir()}
	disk := filepath.Join(t.TempDir(), "disk")
	err := trial.makeDisk(context.Background(), filepath.Join(t.TempDir(), "content"), disk)
	if err == nil || !strings.Contains(err.Error(), "run make packages") {
		t.Error(err)
	}
	if _, err := os.Stat(disk); err == nil {
		t.Error("a disk was made")
	}
}
