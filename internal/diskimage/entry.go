package diskimage

import (
	"bytes"
	"errors"
)

// envBlock is how GRUB's environment block begins; it is padded with # to its size.
const (
	envBlock     = "# GRUB Environment Block\n"
	envBlockSize = 1024
)

// ChooseEntry chooses in a disk that holds GRUB's environment block an entry of
// the menu, and parameters that the menu may use. The disk changes in place.
func ChooseEntry(disk []byte, entry, parameters string) error {
	block := []byte(envBlock + "entry=" + entry + "\nparameters=" + parameters + "\n")
	if len(block) > envBlockSize {
		return errors.New("the parameters are too long for GRUB's environment block")
	}
	at := findEnvBlock(disk)
	if at < 0 {
		return errors.New("no GRUB environment block")
	}
	copy(disk[at:at+envBlockSize], append(block, bytes.Repeat([]byte("#"), envBlockSize-len(block))...))
	return nil
}

// findEnvBlock returns the block's offset, -1 when there is none. GRUB's own
// programs contain the text too: the block is the one that is full.
func findEnvBlock(disk []byte) int {
	for from := 0; ; {
		i := bytes.Index(disk[from:], []byte(envBlock))
		if i < 0 {
			return -1
		}
		i += from
		if i+envBlockSize <= len(disk) && bytes.HasSuffix(disk[i:i+envBlockSize], []byte("####")) {
			return i
		}
		from = i + 1
	}
}
