package main

import (
	"strings"
	"testing"

	"apkern/internal/bench"
	"apkern/test/evaluation/job"
)

// receive gives text to a receiver, in pieces of every size.
func receive(t *testing.T, text string, size int) (records []bench.Record, console string, err error) {
	t.Helper()
	var c strings.Builder
	r := &receiver{console: &c, progress: &strings.Builder{}, write: func(rec bench.Record) error {
		records = append(records, rec)
		return nil
	}}
	for i := 0; i < len(text) && err == nil; i += size {
		_, err = r.Write([]byte(text[i:min(i+size, len(text))]))
	}
	return records, c.String(), err
}

func TestReceiver(t *testing.T) {
	text := "[ 0.1] half a line of Linux's\r\n" +
		job.RecordPrefix + `{"environment":{"kernel":"6.1"}}` + "\r\n" +
		"evaluation is not a record\n\r\n" +
		job.RecordPrefix + `{"run":{"benchmark":"LU","values":{"cycles":7}}}` + "\n" +
		job.RecordPrefix + `{"run":{"benchmark":"cut off"`
	for _, size := range []int{1, 3, 1000} {
		records, console, err := receive(t, text, size)
		if err != nil || len(records) != 2 || records[0].Environment.Kernel != "6.1" || records[1].Run.Values[job.UnitWhole] != 7 {
			t.Errorf("in pieces of %d: %+v, %v", size, records, err)
		}
		if console != text {
			t.Errorf("in pieces of %d the console has %q", size, console)
		}
	}
	for bad, want := range map[string]string{
		job.RecordPrefix + "{\"run\":[ 1.0] Linux\n":     "not a record",
		job.RecordPrefix + "{\"error\":\"it failed\"}\n": "it failed",
	} {
		if _, _, err := receive(t, bad, 1000); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestJobs(t *testing.T) {
	names := func(o options) string {
		jobs, err := o.jobs()
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, j := range jobs {
			list = append(list, j.Name())
		}
		return strings.Join(list, " ")
	}
	for _, c := range []struct {
		o    options
		want string
	}{
		{options{cpus: "1 2 8"}, "uniprocessor-1 smp-2 apkern-2 smp-8 apkern-8"},
		{options{cpus: "1 4", systems: "apkern"}, "apkern-4"},
	} {
		if got := names(c.o); got != c.want {
			t.Errorf("%+v: %s, want %s", c.o, got, c.want)
		}
	}
	for _, o := range []options{{cpus: "0"}, {cpus: "x"}, {cpus: "17"}, {cpus: "2", systems: "BSD"}, {cpus: "2", only: "Nothing"}} {
		if _, err := o.jobs(); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// Whatever decides a run's figures is in the key of its samples.
func TestKey(t *testing.T) {
	c := contents{kernel: []byte("ab"), initramfs: []byte("c")}
	keys := map[string]bool{c.key("m"): true, c.key("n"): true}
	for _, other := range []contents{{[]byte("a"), []byte("bc")}, {[]byte("abc"), nil}} {
		keys[other.key("m")] = true
	}
	if len(keys) != 4 {
		t.Errorf("%d keys of 4", len(keys))
	}
	if c.key("m") != (&contents{kernel: []byte("ab"), initramfs: []byte("c")}).key("m") {
		t.Error("equal contents have different keys")
	}
}

func TestTree(t *testing.T) {
	tr := &tree{have: map[string]bool{}}
	tr.addFile("/a/b/c", []byte("1"), 0o644)
	tr.addFile("/a/b/d", []byte("2"), 0o644)
	tr.addFile("/a/b/c", []byte("again"), 0o644)
	var names []string
	for _, r := range tr.records {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "a a/b a/b/c a/b/d" {
		t.Errorf("records %s", got)
	}
}
