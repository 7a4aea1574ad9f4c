package abi_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// headers are the definition that the package mirrors.
var headers = []string{"handover.h", "apkern.h", "counters.h", "answers.h"}

// TestMirror compares every structure, field, enumerator, constant and request
// number of the headers with the Go package, both ways.
func TestMirror(t *testing.T) {
	for _, d := range compare(readC(t, "."), readGo(t)) {
		t.Error(d)
	}
}

// TestMirrorNotices changes the headers and expects the comparison to say so.
func TestMirrorNotices(t *testing.T) {
	mirror := readGo(t)
	for _, c := range []struct{ file, old, new, want string }{
		{"handover.h", "u32 recall;", "u64 recall;", "apk_head.recall is 8 bytes at 8"},
		{"handover.h", "u32 recall;", "", "Head.Recall is not in"},
		{"handover.h", "u64 fsbase, gsbase;", "u64 gsbase, fsbase;", "apk_slot.fsbase is 8 bytes at 184"},
		{"handover.h", "	u64 tsc_khz;", "	u64 tsc_khz, more;", "apk_global.more has no Go field"},
		{"handover.h", "struct apk_lines {", "struct apk_line_head {", "apk_line_head has no Go type"},
		{"handover.h", "#define APK_WIN_SLOT	0x30000", "#define APK_WIN_SLOT	0x31000", "APK_WIN_SLOT is 0x31000"},
		{"handover.h", "#define APK_VEC_TIMER	0xe4", "#define APK_VEC_TICK	0xe4", "APK_VEC_TICK has no Go constant"},
		{"handover.h", "#define APK_VEC_TIMER	0xe4", "", "VecTimer is not in"},
		{"handover.h", "	APK_READY,", "	APK_READY = 7,", "APK_READY is 0x7"},
		{"counters.h", `	X(STOLEN, "stolen", "of these, threads that last ran on another CPU") \` + "\n", "", "APK_C_SYSCALL is 0x1"},
		{"apkern.h", "_IOW(APKERN_IOC, 1,", "_IOWR(APKERN_IOC, 1,", "APKERN_IOC_ADOPT is 0xc0306b01"},
		{"apkern.h", "__u32 slots_used;", "__u32 slots_used, more[2];", "APKERN_IOC_INFO is 0xc0286b03"},
		{"apkern.h", `"/dev/apkern"`, `"/dev/apk"`, `APKERN_DEVICE is "/dev/apk"`},
	} {
		dir := t.TempDir()
		for _, name := range headers {
			text := read(t, name)
			if name == c.file {
				if strings.Count(text, c.old) != 1 {
					t.Fatalf("%s has %q %d times", name, c.old, strings.Count(text, c.old))
				}
				text = strings.Replace(text, c.old, c.new, 1)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		found := compare(readC(t, dir), mirror)
		if !slices.ContainsFunc(found, func(d string) bool { return strings.Contains(d, c.want) }) {
			t.Errorf("%q for %q: no %q in %q", c.new, c.old, c.want, found)
		}
	}
}

// TestGenerated runs the generator again and compares.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	gen := filepath.Join(dir, "gen")
	if out, err := exec.Command("go", "build", "-o", gen, "./gen").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	abi, docs := filepath.Join(dir, "abi"), filepath.Join(dir, "docs")
	for _, d := range []string{abi, docs} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"counters.h", "answers.h", "../docs/calls.md"} {
		if err := os.WriteFile(filepath.Join(abi, name), []byte(read(t, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(gen)
	cmd.Dir = abi
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"counters_gen.go", "answers_gen.go", "../docs/calls.md"} {
		if read(t, name) != read(t, filepath.Join(abi, name)) {
			t.Errorf("%s is older than counters.h or answers.h: run go generate ./abi", name)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// field is a member of a structure.
type field struct {
	name         string
	offset, size int64
}

// layout is a structure.
type layout struct {
	size   int64
	fields []field
}

// contract is what one side says. Constants are strings so that numbers and
// texts compare alike.
type contract struct {
	structs   map[string]layout
	constants map[string]string
}

// goOnly are constants that the headers say in words.
var goOnly = []string{"PageSize", "MapHome", "MapCPU", "MapCPUPages"}

// cOnly are enumerators and macros that Go has no use for.
var cOnly = []string{"APKERN_IOC"}

// renamed are those whose Go name is not the C name without its prefix.
var renamed = map[string]string{
	"apk_lines":        "LinesHeader",
	"APKERN_CPU_WORDS": "CPUMask",
}

// goName finds the Go name, among those in names, that stands for a C name: the
// same letters without prefix, underscores and case.
func goName[V any](c string, names map[string]V) (string, bool) {
	if n, ok := renamed[c]; ok {
		_, ok = names[n]
		return n, ok
	}
	plain := regexp.MustCompile(`(?i)^(apkern|apk)_`).ReplaceAllString(c, "")
	for n := range names {
		if strings.EqualFold(n, strings.ReplaceAll(plain, "_", "")) {
			return n, true
		}
	}
	return "", false
}

// compare lists every difference between the headers and the mirror.
func compare(c, mirror contract) []string {
	var found []string
	seen := map[string]bool{}
	for cn, cl := range c.structs {
		n, ok := goName(cn, mirror.structs)
		if !ok {
			found = append(found, fmt.Sprintf("struct %s has no Go type", cn))
			continue
		}
		seen[n] = true
		found = append(found, compareLayout(cn, cl, n, mirror.structs[n])...)
	}
	for n := range mirror.structs {
		if !seen[n] {
			found = append(found, fmt.Sprintf("type %s is not in the headers", n))
		}
	}
	for cn, value := range c.constants {
		if slices.Contains(cOnly, cn) {
			continue
		}
		n, ok := goName(cn, mirror.constants)
		if !ok {
			found = append(found, fmt.Sprintf("%s has no Go constant", cn))
			continue
		}
		seen[n] = true
		if g := mirror.constants[n]; g != value {
			found = append(found, fmt.Sprintf("%s is %s, %s is %s", cn, value, n, g))
		}
	}
	for n := range mirror.constants {
		if !seen[n] && !slices.Contains(goOnly, n) {
			found = append(found, fmt.Sprintf("constant %s is not in the headers", n))
		}
	}
	slices.Sort(found)
	return found
}

func compareLayout(cn string, c layout, n string, g layout) []string {
	var found []string
	if c.size != g.size {
		found = append(found, fmt.Sprintf("struct %s has %d bytes, %s has %d", cn, c.size, n, g.size))
	}
	fields := map[string]field{}
	for _, f := range g.fields {
		fields[f.name] = f
	}
	for _, f := range c.fields {
		fn, ok := goName(f.name, fields)
		if !ok {
			found = append(found, fmt.Sprintf("%s.%s has no Go field in %s", cn, f.name, n))
			continue
		}
		if gf := fields[fn]; gf.offset != f.offset || gf.size != f.size {
			found = append(found, fmt.Sprintf("%s.%s is %d bytes at %d, %s.%s %d bytes at %d",
				cn, f.name, f.size, f.offset, n, fn, gf.size, gf.offset))
		}
		delete(fields, fn)
	}
	for fn := range fields {
		found = append(found, fmt.Sprintf("%s.%s is not in struct %s", n, fn, cn))
	}
	return found
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errors.String())
	}
	return out
}
