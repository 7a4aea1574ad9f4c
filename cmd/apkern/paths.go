package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// installDir is where a package puts the module and the library.
const installDir = "/usr/lib/apkern"

// Names of build products.
const (
	moduleFile  = "apkern.ko"
	libraryFile = "libstartup.so.1"
)

// findProduct returns the path of the module or the library: in ../build
// beside the executable's directory, as in a source tree, else installed.
func findProduct(name string) (string, error) {
	dirs := []string{installDir}
	if build, err := buildDir(); err == nil {
		dirs = append([]string{build}, dirs...)
	}
	for _, d := range dirs {
		file := filepath.Join(d, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("no %s in %s or %s: build it with make", name, dirs[0], installDir)
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
