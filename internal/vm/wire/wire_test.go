package wire_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"apkern/internal/vm/wire"
)

func TestStreamCarriesAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		writes := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 200), 0, 10).Draw(t, "writes")
		var channel, want bytes.Buffer
		w := wire.NewWriter(&channel)
		for _, p := range writes {
			if n, err := w.Write(p); n != len(p) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			want.Write(p)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(wire.NewReader(iotest.OneByteReader(&channel)))
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("read %q (%v), wrote %q", got, err, want.Bytes())
		}
	})
}

func TestStreamSplitsLargeWrites(t *testing.T) {
	var channel bytes.Buffer
	data := bytes.Repeat([]byte("0123456789"), 20000)
	w := wire.NewWriter(writerFunc(func(p []byte) (int, error) {
		if len(p) > 32<<10 {
			t.Errorf("one write of %d bytes", len(p))
		}
		return channel.Write(p)
	}))
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(wire.NewReader(&channel))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes (%v), want %d", len(got), err, len(data))
	}
}

func TestStreamCutShort(t *testing.T) {
	for name, channel := range map[string]string{
		"nothing":         "",
		"in the length":   "\x00\x00",
		"in a chunk":      "\x00\x00\x00\x05abc",
		"between chunks":  "\x00\x00\x00\x01a",
		"length too long": "\x00\x01\x00\x00",
	} {
		_, err := io.ReadAll(wire.NewReader(bytes.NewBufferString(channel)))
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if name != "length too long" && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestControl(t *testing.T) {
	var channel bytes.Buffer
	host := wire.NewConn[wire.ToGuest, wire.ToHost](&channel)
	job := &wire.Job{Args: []string{"true"}, TTY: &wire.Size{Rows: 24, Cols: 80}}
	if err := host.Send(wire.ToGuest{Job: job}); err != nil {
		t.Fatal(err)
	}
	m, err := wire.NewConn[wire.ToHost, wire.ToGuest](&channel).Receive()
	if err != nil || m.Job == nil || m.Job.Args[0] != "true" || *m.Job.TTY != *job.TTY {
		t.Fatalf("received %+v, %v", m, err)
	}
	if _, err := host.Receive(); err != io.EOF {
		t.Fatalf("at the end: %v, want EOF", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
