package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// matches returns the first group of every match of pattern in the files of a
// glob, in order.
func matches(t *testing.T, glob, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", glob, len(files), err)
	}
	found := []string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
			found = append(found, m[1])
		}
	}
	slices.Sort(found)
	return found
}

func TestManualHasEveryParameter(t *testing.T) {
	module := matches(t, "../module/*.c", `MODULE_PARM_DESC\((\w+),`)
	manual := matches(t, "man/apkern.4", `(?m)^\.BI (\w+)= `)
	if d := cmp.Diff(module, manual); d != "" {
		t.Errorf("parameters of the module (-) and in the manual page (+):\n%s", d)
	}
}

func TestExampleNamesParameters(t *testing.T) {
	module := matches(t, "../module/*.c", `MODULE_PARM_DESC\((\w+),`)
	for _, name := range matches(t, "etc/modprobe.conf", `(?m)^#options apkern (\w+)=`) {
		if !slices.Contains(module, name) {
			t.Errorf("the module has no parameter %s", name)
		}
	}
	if active := matches(t, "etc/modprobe.conf", `(?m)^([^#\n].*)$`); len(active) > 0 {
		t.Errorf("not commented out: %q", active)
	}
}

func TestChangelogBeginsWithTheRelease(t *testing.T) {
	release := matches(t, "../cmd/apkern/version.go", `(?m)^const release = "(.*)"$`)
	changelog := matches(t, "debian/changelog", `\A\w+ \((.*?)\)`)
	if d := cmp.Diff(release, changelog); d != "" {
		t.Errorf("release of the command (-) and of the packages (+):\n%s", d)
	}
}

func TestServiceTakesNothingByDefault(t *testing.T) {
	if got := matches(t, "etc/default", `(?m)^CPUS=(.*)$`); !slices.Equal(got, []string{""}) {
		t.Errorf("CPUS is %q", got)
	}
}
