// Command image boots apkern's disk image on every firmware and emulator that is
// here, has it run its self-test, and fails unless the transcript says that
// programs ran on application CPUs:
//
//	go run ./test/image [-image FILE] [-entry selftest-stock] [bios|uefi|bochs...]
//
// The image itself is not changed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	image := flag.String("image", "build/image/apkern.img", "the disk image's `FILE`")
	entry := flag.String("entry", "selftest", "boot `ENTRY` to choose: selftest or selftest-stock")
	flag.IntVar(&cpus, "cpus", 4, "CPUs of the machines")
	flag.BoolVar(&verbose, "v", false, "print what came before the self-test too")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = []string{"bios", "uefi", "bochs"}
	}
	failed := false
	for _, name := range names {
		if err := try(name, *image, *entry); err != nil {
			fmt.Fprintf(os.Stderr, "image: %s: %v\n", name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

var (
	verbose bool
	cpus    int
)

func try(name, image, entry string) error {
	all, err := machines()
	if err != nil {
		return err
	}
	m, ok := all[name]
	if !ok {
		return errors.New("there is no such machine; there are bios, uefi, bochs")
	}
	dir, err := os.MkdirTemp("", "apkern-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	serial := filepath.Join(dir, "serial.log")
	fmt.Printf("=== %s, %s\n", name, entry)
	bootErr := m.boot(image, entry, serial)
	output, err := os.ReadFile(serial)
	if err != nil {
		return errors.Join(bootErr, err)
	}
	text := strings.ReplaceAll(string(output), "\r", "")
	if _, after, ok := strings.Cut(text, begin); ok && !verbose {
		fmt.Print(begin + after)
	} else {
		fmt.Print(text)
	}
	if bootErr != nil {
		return bootErr
	}
	if err := check(text, entry, cpus-1); err != nil {
		return err
	}
	fmt.Printf("--- PASS: %s, %s\n", name, entry)
	return nil
}

const (
	begin = "# self-test begins"
	end   = "# self-test ends"
)

// check looks for everything that the self-test must have shown, with that many
// application CPUs.
func check(text, entry string, ours int) error {
	wanted := []string{
		begin, end,
		fmt.Sprintf("%d application CPUs", ours),
		"\nboot  etc", // of ls /
		"\n42\n",      // of python3
		fmt.Sprintf("%d threads on CPUs of their own at", ours), // of parallel, by CPUID
		"grep -c -e \"BUG:\" -e \"Oops\" -e \"WARNING:\"\n0\n",
	}
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			return fmt.Errorf("the transcript lacks %q", w)
		}
	}
	version := lineAfter(text, "# uname -rv")
	if up := !strings.Contains(version, "SMP"); up != (entry == "selftest") {
		return fmt.Errorf("another kernel was booted: %s", version)
	}
	statuses := strings.Count(text, "\n# status ")
	if good := strings.Count(text, "\n# status 0\n"); good < statuses-1 {
		return fmt.Errorf("%d of %d steps failed", statuses-good, statuses) // grep -c that counts none ends with 1
	}
	return nil
}

func lineAfter(text, line string) string {
	lines := strings.Split(text, "\n")
	if i := slices.Index(lines, line); i >= 0 && i+1 < len(lines) {
		return lines[i+1]
	}
	return ""
}
