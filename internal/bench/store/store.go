// Package store keeps what was measured in a directory:
//
//	samples.jsonl  records of package bench, one a line: the plan first, then as they come
//	bench.txt      the good runs in Go's benchmark format, for benchstat
//
// Records are appended as they come, so that an interruption loses none.
package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"apkern/internal/bench"
)

// Names of the files.
const (
	SamplesFile = "samples.jsonl"
	GoFile      = "bench.txt"
)

// Writer appends records.
type Writer struct {
	samples *os.File
	text    *os.File
	format  *goFormat
}

// Create makes a directory for samples. One that has samples is refused: those of
// different boots must not be mixed.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	samples, err := os.OpenFile(filepath.Join(dir, SamplesFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s has samples already: name another directory with -o", dir)
	}
	if err != nil {
		return nil, err
	}
	text, err := os.Create(filepath.Join(dir, GoFile))
	if err != nil {
		return nil, errors.Join(err, samples.Close())
	}
	return &Writer{samples: samples, text: text, format: newGoFormat(text)}, nil
}

// Write appends a record.
func (w *Writer) Write(r bench.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := w.samples.Write(append(line, '\n')); err != nil {
		return err
	}
	return w.format.write(r)
}

// File is the file of all samples.
func (w *Writer) File() string { return w.samples.Name() }

// Discard closes and removes what there is, and the directory when it is empty then.
func (w *Writer) Discard() error {
	err := errors.Join(w.Close(), os.Remove(w.samples.Name()), os.Remove(w.text.Name()))
	_ = os.Remove(filepath.Dir(w.File())) // unless it has other files
	return err
}

// Close closes the files.
func (w *Writer) Close() error { return errors.Join(w.samples.Close(), w.text.Close()) }

// Samples is all that a directory has.
type Samples struct {
	File        string // where it was read from
	Plan        bench.Plan
	Environment bench.Environment
	Skips       []bench.Skip
	Runs        []bench.Run
}

// Read reads a directory. A last line that has no end is what an interruption left,
// and counts for nothing.
func Read(dir string) (*Samples, error) {
	s := &Samples{File: filepath.Join(dir, SamplesFile)}
	data, err := os.ReadFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: apkern bench run -o %s writes it", dir, SamplesFile, dir)
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(bytes.NewReader(data))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // the end
		}
		if err := s.add(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", s.File, n, err)
		}
	}
	if len(s.Plan.Benchmarks) == 0 {
		return nil, fmt.Errorf("%s does not begin with a plan", s.File)
	}
	return s, nil
}

func (s *Samples) add(line []byte) error {
	var r bench.Record
	if err := json.Unmarshal(line, &r); err != nil {
		return errors.New("not a record")
	}
	s.Add(r)
	return nil
}

// Add adds a record.
func (s *Samples) Add(r bench.Record) {
	switch {
	case r.Plan != nil:
		s.Plan = *r.Plan
	case r.Environment != nil:
		s.Environment = *r.Environment
	case r.Skip != nil:
		s.Skips = append(s.Skips, *r.Skip)
	case r.Run != nil:
		s.Runs = append(s.Runs, *r.Run)
	}
}
