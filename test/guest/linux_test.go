package guest

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// linux returns the series of the running kernel, and whether it is built with SMP.
func linux(t *testing.T) (major, minor int, smp bool) {
	t.Helper()
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(uts.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("release %q: %v", release, err)
	}
	return major, minor, strings.Contains(unix.ByteSliceToString(uts.Version[:]), "SMP")
}

// rseqMode is " hidden", for the programs with restartable sequences, where this
// Linux has no number for an application CPU, or hands out concurrency ids (since
// 6.3): a thread away sees no sequences then.
func rseqMode(t *testing.T) string {
	major, minor, smp := linux(t)
	if !smp || major > 6 || major == 6 && minor >= 3 {
		return " hidden"
	}
	return ""
}
