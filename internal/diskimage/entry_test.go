package diskimage

import (
	"bytes"
	"strings"
	"testing"
)

func TestChooseEntry(t *testing.T) {
	block := append([]byte(envBlock), bytes.Repeat([]byte("#"), envBlockSize-len(envBlock))...)
	decoy := append([]byte(envBlock), make([]byte, 2000)...) // the text as GRUB's programs have it
	disk := append(append(append([]byte{}, decoy...), block...), "behind"...)
	if err := ChooseEntry(disk, "selftest", "idle=hlt"); err != nil {
		t.Fatal(err)
	}
	got := string(disk[len(decoy) : len(decoy)+envBlockSize])
	if !strings.HasPrefix(got, envBlock+"entry=selftest\nparameters=idle=hlt\n###") {
		t.Errorf("block begins %q", got[:60])
	}
	if !bytes.Equal(disk[:len(decoy)], decoy) || string(disk[len(decoy)+envBlockSize:]) != "behind" {
		t.Error("something beside the block changed")
	}
	if err := ChooseEntry(decoy, "selftest", ""); err == nil {
		t.Error("an image without a block was accepted")
	}
	if err := ChooseEntry(disk, "selftest", strings.Repeat("x", envBlockSize)); err == nil {
		t.Error("parameters that do not fit were accepted")
	}
}
