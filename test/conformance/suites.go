package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// suite is tests that run as one command.
type suite struct {
	name    string
	argv    []string
	env     []string
	dir     string // where it runs; "": an empty directory
	limit   time.Duration
	preload bool // adopted by the startup library instead of apkern run
	parse   func(output string) outcomes
	only    func(argv, names []string) []string // selects tests; nil: all run again
}

var table = slices.Concat(cpython(), golang(), posix(), stress(), programs())

// products is build/conformance in the guest, which sees the host's files.
func products(names ...string) string {
	self, err := os.Executable()
	if err != nil {
		panic(err) // /proc is not mounted
	}
	return filepath.Join(append([]string{filepath.Dir(self)}, names...)...)
}

func cpython() []suite {
	var suites []suite
	for _, m := range []struct {
		module string
		limit  time.Duration
	}{
		{"test_threading", 10 * time.Minute},
		{"test_thread", 5 * time.Minute},
		{"test_subprocess", 15 * time.Minute},
		{"test_signal", 10 * time.Minute},
		{"test_socket", 10 * time.Minute},
		{"test_os", 10 * time.Minute},
		{"test_posix", 10 * time.Minute},
		{"test_mmap", 5 * time.Minute},
		{"test_fork1", 5 * time.Minute},
		{"test_multiprocessing_fork", 20 * time.Minute},
		{"test_concurrent_futures", 20 * time.Minute},
		{"test_asyncio", 20 * time.Minute},
		{"test_selectors", 5 * time.Minute},
		{"test_time", 5 * time.Minute},
		{"test_faulthandler", 10 * time.Minute},
	} {
		suites = append(suites, suite{
			name:  "cpython/" + m.module,
			argv:  []string{"python3", "-m", "test", "-v", m.module},
			limit: m.limit,
			parse: parseUnittest, only: onlyUnittest,
		})
	}
	return suites
}

func golang() []suite {
	var suites []suite
	for _, p := range []struct {
		name  string
		limit time.Duration
	}{
		{"sync", 5 * time.Minute},
		{"sync/atomic", 5 * time.Minute},
		{"os", 5 * time.Minute},
		{"os/exec", 5 * time.Minute},
		{"os/signal", 5 * time.Minute},
		{"net", 10 * time.Minute},
		{"time", 5 * time.Minute},
		{"runtime", 15 * time.Minute},
	} {
		suites = append(suites, suite{
			name:  "go/" + p.name,
			argv:  []string{products("go", strings.ReplaceAll(p.name, "/", "-")+".test"), "-test.v", "-test.short"},
			dir:   filepath.Join("/usr/local/go/src", p.name),
			limit: p.limit,
			parse: parseGo, only: onlyGo,
		})
	}
	return suites
}
