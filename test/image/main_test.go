package main

import (
	"strings"
	"testing"
)

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
