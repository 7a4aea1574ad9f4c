package kimage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// How the application kernel is compiled and linked.
//
// -+ makes the compiler treat the packages as parts of a runtime: no variable
// may escape. -wb=false leaves write barriers out, since there is no collector.
// -spectre=all makes indirect calls retpolines and masks indexes.
// -T is signed: text begins one page above abi.Image, where the linker puts the
// ELF header. -buildvcs=false and -trimpath keep the blob free of where and from
// what state of a checkout it was built.
const (
	imagePackage = "./kernel/image"
	modulePath   = "apkern/"
	kernelPath   = modulePath + "kernel/"
	entrySymbol  = kernelPath + "entry.Entry"
	gcFlags      = kernelPath + "...=-+ -wb=false -spectre=all"
	asmFlags     = kernelPath + "...=-spectre=all"
	ldFlags      = "-E " + entrySymbol + " -T=-0x7efff000"
)

// linkEnv is what the caller's environment must not change about the result.
var linkEnv = []string{
	"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1",
	"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off",
}

// link builds the image of the module at dir. Variables that escape are
// refused with an *Error; other compiler errors are passed on.
func link(dir, out string) error {
	cmd := exec.Command("go", "build", "-tags", "metal", "-trimpath", "-buildvcs=false",
		"-gcflags="+gcFlags, "-asmflags="+asmFlags, "-ldflags="+ldFlags, "-o", out, imagePackage)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), linkEnv...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("cannot run the go command: %w", err)
	}
	if f := escapes(output.String()); len(f) > 0 {
		return &Error{"escape", f}
	}
	return fmt.Errorf("cannot link %s:\n%s", imagePackage, strings.TrimSpace(output.String()))
}

var escapeLine = regexp.MustCompile(`(?m)^(\S+\.go:\d+):\d+: (.*), not allowed in runtime$`)

// escapes picks the compiler's complaints about escaping variables.
func escapes(output string) []string {
	var found []string
	for _, m := range escapeLine.FindAllStringSubmatch(output, -1) {
		found = append(found, fmt.Sprintf("%s: %s: the application kernel has no heap, keep it on the stack or in the window",
			strings.TrimPrefix(m[1], modulePath), m[2]))
	}
	return found
}
