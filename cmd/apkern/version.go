package main

import (
	"runtime/debug"
	"strconv"

	"apkern/abi"
)

// version is the revision the command was built from and the version of the
// interface it speaks with the module.
func version() string {
	revision := "unknown revision"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				revision = s.Value[:12]
			}
		}
	}
	return revision + ", interface " + strconv.Itoa(abi.Version)
}
