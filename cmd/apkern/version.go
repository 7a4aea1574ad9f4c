package main

import (
	"runtime/debug"
	"strconv"

	"apkern/abi"
)

// release is the version of all that is built here. The packages have it from
// here (packaging/packages.mk); packaging/debian/changelog must begin with it.
const release = "0.4.0"

// version is the release, the revision that the command was built from, when
// that is known, and the version of the interface it speaks with the module.
func version() string {
	v := release
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += ", revision " + s.Value[:12]
			}
		}
	}
	return v + ", interface " + strconv.Itoa(abi.Version)
}
