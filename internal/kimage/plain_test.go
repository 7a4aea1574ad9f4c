package kimage

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// firstStage is what runs on the user's vector registers and FS base.
const firstStage = kernelPath + "answer.First"

// notPlain matches instructions, as objdump writes them, that use any of those, or
// that lead nobody knows where.
var notPlain = regexp.MustCompile(`\b[XYZ][0-9]{1,2}\b|\b[FG]S\b|CALL [^\s(]+$|\bF[A-Z]+\b .*ST|EMMS|LDMXCSR`)

// TestFirstStageIsPlain reads the object code of the first stage of system calls, and
// of all that it calls: general registers only.
func TestFirstStageIsPlain(t *testing.T) {
	out := t.TempDir()
	c := Config{Dir: "../..", ELF: filepath.Join(out, "kernel.elf"), Blob: filepath.Join(out, "kernel.blob")}
	if _, err := Build(c); err != nil {
		t.Fatal(err)
	}
	img, err := openImage(c.ELF)
	if err != nil {
		t.Fatal(err)
	}
	first := img.find(firstStage)
	if first == nil {
		t.Fatalf("no %s", firstStage)
	}
	for _, fn := range reached(t, img, first) {
		code, err := exec.Command("go", "tool", "objdump", "-s", "^"+regexp.QuoteMeta(fn.name)+"$", c.ELF).Output()
		if err != nil || len(code) < 100 {
			t.Fatalf("objdump of %s: %v, %d bytes", fn.name, err, len(code))
		}
		for _, line := range strings.Split(string(code), "\n")[1:] {
			if notPlain.MatchString(line) {
				t.Errorf("%s: %s", fn.name, strings.TrimSpace(line))
			}
		}
	}
	// The check itself: what saves vector registers is found out.
	code, err := exec.Command("go", "tool", "objdump", "-s", "entry.dispatch", c.ELF).Output()
	if err != nil || !notPlain.MatchString(string(code)) {
		t.Errorf("vector registers are not found where they are saved: %v", err)
	}
}

// reached returns fn and the functions that it calls, directly or not, without
// those that end the application kernel.
func reached(t *testing.T, img *image, fn *function) []*function {
	list := []*function{fn}
	seen := map[*function]bool{fn: true}
	for i := 0; i < len(list); i++ {
		for _, c := range img.calls(list[i]) {
			switch {
			case seen[c.to] || listed(fatals, c.to.name):
			case !c.to.ours():
				t.Errorf("%s calls %s", list[i].name, c.to.name)
			default:
				list = append(list, c.to)
			}
			seen[c.to] = true
		}
	}
	return list
}
