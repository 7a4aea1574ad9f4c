package main

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestImageEntries compares the names that --entry takes with those of the menu.
func TestImageEntries(t *testing.T) {
	menu, err := os.ReadFile("../../image/files/boot/grub/grub.cfg")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range regexp.MustCompile(`(?m)^menuentry .* --id (\S+) `).FindAllSubmatch(menu, -1) {
		ids = append(ids, string(m[1]))
	}
	if !slices.Equal(ids, imageEntries) {
		t.Errorf("the menu has %q, --entry takes %q", ids, imageEntries)
	}
}

// bootSector is the first sector of a disk that a BIOS would try to boot.
func bootSector() []byte {
	return append(make([]byte, 510), 0x55, 0xaa)
}
