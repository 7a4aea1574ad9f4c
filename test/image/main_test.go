package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestChooseEntry(t *testing.T) {
	block := append([]byte(envBlock), bytes.Repeat([]byte("#"), envBlockSize-len(envBlock))...)
	decoy := append([]byte(envBlock), make([]byte, 2000)...) // the text as GRUB's programs have it
	disk := append(append(append([]byte{}, decoy...), block...), "behind"...)
	if err := chooseEntry(disk, "selftest", "idle=hlt"); err != nil {
		t.Fatal(err)
	}
	got := string(disk[len(decoy) : len(decoy)+envBlockSize])
	if !strings.HasPrefix(got, envBlock+"entry=selftest\nselftest=idle=hlt\n###") {
		t.Errorf("block begins %q", got[:60])
	}
	if !bytes.Equal(disk[:len(decoy)], decoy) || string(disk[len(decoy)+envBlockSize:]) != "behind" {
		t.Error("something beside the block changed")
	}
	if err := chooseEntry(decoy, "selftest", ""); err == nil {
		t.Error("an image without a block was accepted")
	}
}

const good = `# self-test begins
# uname -rv
6.1.0-up #1 2026
# status 0
    1        1  halted
3 application CPUs
# status 0
bin
boot  etc
42
3 threads on CPUs of their own at the same time, 100 rounds
# status 0
# dmesg | grep -c -e "BUG:" -e "Oops" -e "WARNING:"
0
# status 1
# self-test ends
`

func TestCheck(t *testing.T) {
	if err := check(good, "selftest", 3); err != nil {
		t.Error(err)
	}
	for old, changed := range map[string]string{
		"# uname -rv\n6.1.0-up #1": "# uname -rv\n6.1.0 #1 SMP",
		"\n42\n":                   "\n41\n",
		"3 threads on CPUs":        "2 threads on CPUs",
		"WARNING:\"\n0":            "WARNING:\"\n1",
		"500":                      "",
		"# self-test ends":         "",
		"# status 0\nbin":          "# status 2\nbin",
	} {
		if text := strings.Replace(good, old, changed, 1); text != good && check(text, "selftest", 3) == nil {
			t.Errorf("%q in the place of %q was accepted", changed, old)
		}
	}
}
