package vm

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A guest under TCG is told the frequency by which this machine's own counter
// agrees with its clock; one under KVM is told nothing.
func TestTellTSC(t *testing.T) {
	if got := tellTSC(accelKVM, "quiet"); got != "quiet" {
		t.Errorf("under KVM: %q", got)
	}
	m := regexp.MustCompile(`^tsc_early_khz=(\d+) quiet$`).FindStringSubmatch(tellTSC(accelTCG, "quiet"))
	if m == nil {
		t.Fatalf("under TCG: %q", tellTSC(accelTCG, "quiet"))
	}
	khz, _ := strconv.ParseFloat(m[1], 64)
	first := markTSC()
	var last tscMark
	for last = markTSC(); last.at.Sub(first.at) < tscSpan; last = markTSC() {
	}
	seconds := float64(last.tsc-first.tsc) / khz / 1000
	if ratio := seconds / last.at.Sub(first.at).Seconds(); ratio < 0.999 || ratio > 1.001 {
		t.Errorf("at %s kHz the counter counted %v of the time that passed", m[1], ratio)
	}
}

// What the guest is told reaches QEMU.
func TestQEMUArgsTellTSC(t *testing.T) {
	args := strings.Join(qemuArgs(accelTCG, Spec{CmdLine: "quiet"}), " ")
	if !strings.Contains(args, "-append tsc_early_khz=") {
		t.Errorf("arguments %s", args)
	}
}
