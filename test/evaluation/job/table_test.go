package job

import (
	"strings"
	"testing"
)

func TestMix(t *testing.T) {
	all := Benchmarks()
	mix := all[len(all)-1]
	if mix.Name != Mix {
		t.Fatalf("the last is %s", mix.Name)
	}
	var got []string
	for _, c := range Commands(&mix) {
		got = append(got, c[0])
	}
	if s := strings.Join(got, " "); s != "radix fft lu find cc1 gzip" {
		t.Errorf("the mix is %s", s)
	}
	// Each of them is measured alone, too, by the same command.
	for _, c := range Commands(&mix) {
		found := false
		for _, b := range all[:len(all)-1] {
			found = found || strings.Join(b.Argv, " ") == strings.Join(c, " ")
		}
		if !found {
			t.Errorf("%q is not measured alone", c)
		}
	}
}
