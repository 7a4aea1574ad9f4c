package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of build products.
const (
	moduleFile  = "apkern.ko"
	libraryFile = "libstartup.so.1"
	benchDir    = "bench" // programs of apkern bench
)

// installedModules is where dkms puts the module for each Linux.
const installedModules = "/lib/modules/*/updates/dkms/" + moduleFile

// findProduct returns the absolute path of the module, the library or the programs: in ../build
// beside the executable's directory, as in a source tree, else installed.
func findProduct(name string) (string, error) {
	var candidates []string
	switch name {
	case moduleFile:
		candidates = findInstalledModules()
	case benchDir:
		candidates = []string{"/usr/lib/apkern/" + name}
	default:
		candidates = []string{"/lib/" + name}
	}
	built := "../build"
	if build, err := buildDir(); err == nil {
		built = build
		candidates = append([]string{filepath.Join(build, name)}, candidates...)
	}
	for _, file := range candidates {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("no %s in %s, and none is installed: build it with make, or install the packages", name, built)
}

// findInstalledModules returns the modules that are installed: that for the
// running Linux first, then the others.
func findInstalledModules() []string {
	files, _ := filepath.Glob(installedModules) // the pattern is well-formed
	var uts unix.Utsname
	if unix.Uname(&uts) != nil {
		return files
	}
	running := strings.Replace(installedModules, "*", unix.ByteSliceToString(uts.Release[:]), 1)
	return append([]string{running}, files...)
}

// buildDir is ../build beside the executable's directory.
func buildDir() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Join(filepath.Dir(exe), "..", "build"), nil
}
