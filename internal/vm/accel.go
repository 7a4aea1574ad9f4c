package vm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// kvmPatience bounds the trial boot: under KVM a guest says hello in a second.
const kvmPatience = 30 * time.Second

// accelerator returns KVM when a guest boots under it and TCG otherwise. That
// /dev/kvm can be opened says little: in nested virtual machines it may be
// there and fail. So the first time a guest is booted to see, and the answer
// is remembered for this host kernel and this QEMU.
func (q QEMU) accelerator(program string, start func(accel string) (*qemu, error)) string {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return accelTCG
	}
	_ = f.Close()
	memory := filepath.Join(q.CacheDir, "accel-"+hostKey(program))
	if known, err := os.ReadFile(memory); err == nil {
		return remembered(known)
	}
	accel := accelTCG
	if boots(start) {
		accel = accelKVM
	}
	// Not remembered only means to try again.
	_ = writeFile(memory, []byte(accel+"\n"))
	return accel
}

// remembered returns the accelerator that a file names. It may have been written when
// TCG had other options.
func remembered(text []byte) string {
	if string(bytes.TrimSpace(text)) == accelKVM {
		return accelKVM
	}
	return accelTCG
}

// boots tells whether a guest under KVM gets as far as saying something.
func boots(start func(accel string) (*qemu, error)) bool {
	m, err := start(accelKVM)
	if err != nil {
		return false
	}
	defer m.Kill()
	defer time.AfterFunc(kvmPatience, m.Kill).Stop()
	n, _ := m.channels[0].Read(make([]byte, 1))
	return n == 1
}

// hostKey stands for what the answer depends on.
func hostKey(program string) string {
	h := sha256.New()
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		h.Write(uts.Release[:])
		h.Write(uts.Nodename[:])
	}
	if st, err := os.Stat(program); err == nil {
		h.Write([]byte(st.ModTime().UTC().String()))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
