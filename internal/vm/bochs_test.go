package vm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeBochs puts a script in the place of Bochs. Its serial port is descriptor 3.
func fakeBochs(t *testing.T, script string) Disk {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, bochsCommand), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	t.Setenv("TMPDIR", t.TempDir())
	disk := filepath.Join(dir, "disk")
	if err := os.WriteFile(disk, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Disk{File: disk, CPUs: 8, Memory: "1G", CPUModel: "some_model"}
}

// run runs a disk, and fails the test when files are left.
func run(t *testing.T, b Bochs, d Disk) (string, error) {
	t.Helper()
	var out strings.Builder
	d.Stdout = &out
	err := b.RunDisk(t.Context(), d)
	if left, _ := filepath.Glob(os.Getenv("TMPDIR") + "/*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	return out.String(), err
}

func TestBochsMachine(t *testing.T) {
	d := fakeBochs(t, `cat "$3" >&3; wc -c <"$(sed -n 's/.*path="\(.*\)", mode=flat/\1/p' "$3")" >&3; cat "$5" >&3; echo "it is done" >&3; exec sleep 1000`)
	d.End = "done"
	out, err := run(t, Bochs{Rate: 1000}, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cpu: count=1:8:1, ips=1000, model=some_model,", "memory: guest=1024, host=1024\n", "dev=/dev/fd/3\n",
		"\n516096\nc\n", // of one cylinder
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if data, err := os.ReadFile(d.File); err != nil || string(data) != "contents" {
		t.Errorf("the disk itself was changed: %q, %v", data, err)
	}
}

func TestBochsFails(t *testing.T) {
	var failure *Failure
	for script, reason := range map[string]string{
		"printf 'x\\nBochs is exiting with the following message:\\n[BIOS  ] No bootable device.\\n==\\n' >&2; exit 1": "bochs: [BIOS  ] No bootable device.",
		"echo one >&2; echo two >&2; exit 1": "bochs ended: two",
		"echo the end came >&3":              "bochs ended: ",
	} {
		d := fakeBochs(t, script)
		d.End = "end"
		if _, err := run(t, Bochs{}, d); !errors.As(err, &failure) || failure.Reason != reason {
			t.Errorf("%s: %v", script, err)
		}
	}
	d := fakeBochs(t, "exit 0")
	d.Memory = "much"
	if _, err := run(t, Bochs{}, d); err == nil {
		t.Error("a memory that is no size was accepted")
	}
	d = fakeBochs(t, "exit 0")
	d.Entry = "selftest"
	if _, err := run(t, Bochs{}, d); err == nil || !strings.Contains(err.Error(), "no GRUB environment block") {
		t.Errorf("an entry of a disk without a menu: %v", err)
	}
	d.Write = true
	if _, err := run(t, Bochs{}, d); err == nil {
		t.Error("a disk was to be written")
	}
	t.Setenv("PATH", "")
	if _, err := run(t, Bochs{}, Disk{}); err == nil || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("without Bochs: %v", err)
	}
}

func TestUntilText(t *testing.T) {
	for _, pieces := range [][]string{{"a\nthe end\r\nb"}, {"a\nthe e", "nd", "\n", "b"}} {
		var out strings.Builder
		u := &untilText{w: &out, end: "end"}
		var err error
		for _, p := range pieces {
			if _, err = u.Write([]byte(p)); err != nil {
				break
			}
		}
		if !errors.Is(err, errEndText) {
			t.Errorf("%q: %v", pieces, err)
		}
	}
	u := &untilText{w: &strings.Builder{}}
	if _, err := u.Write([]byte("\n\n")); err != nil {
		t.Errorf("without a text: %v", err)
	}
}
