package vm

import "testing"

func TestRemembered(t *testing.T) {
	for text, want := range map[string]string{
		"kvm\n":              accelKVM,
		"tcg,thread=multi\n": accelTCG, // of an older version
		accelTCG + "\n":      accelTCG,
		"":                   accelTCG,
	} {
		if got := remembered([]byte(text)); got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}
