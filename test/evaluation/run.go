package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"apkern/internal/bench"
	"apkern/internal/bench/store"
	"apkern/internal/vm"
	"apkern/test/evaluation/job"
)

// machine is what all jobs run on: a Bochs.
var machine = vm.Bochs{Rate: 100_000_000}

const (
	model  = "corei7_haswell_4770"
	memory = "512M"
)

// Files of a job's directory, beside those of package store.
const (
	consoleFile = "console.log"
	keyFile     = "key" // of what was run; written when all is there
)

// carryOut runs a job, unless its directory has the samples of just that.
func (b *builder) carryOut(ctx context.Context, j *job.Job, dir string, limit time.Duration) error {
	c, err := b.contents(j)
	if err != nil {
		return err
	}
	key := c.key(fmt.Sprintf("%+v %s %s %d", machine, model, memory, j.CPUs))
	if old, err := os.ReadFile(filepath.Join(dir, keyFile)); err == nil && string(old) == key {
		fmt.Printf("%-16s as before\n", j.Name())
		return nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	begun := time.Now()
	if err := c.run(ctx, j, dir, limit); err != nil {
		return fmt.Errorf("%w (its console: %s)", err, filepath.Join(dir, consoleFile))
	}
	fmt.Printf("%-16s done in %v\n", j.Name(), time.Since(begun).Round(time.Second))
	return os.WriteFile(filepath.Join(dir, keyFile), []byte(key), 0o644)
}

// run boots the job's disk, and stores what the machine writes.
func (c *contents) run(ctx context.Context, j *job.Job, dir string, limit time.Duration) (err error) {
	work, err := os.MkdirTemp("", "apkern-evaluation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	disk := filepath.Join(work, "disk.img")
	if err := c.writeDisk(disk, work); err != nil {
		return err
	}
	console, err := os.Create(filepath.Join(dir, consoleFile))
	if err != nil {
		return err
	}
	samples, err := store.Create(dir)
	if err != nil {
		return errors.Join(err, console.Close())
	}
	defer func() { err = errors.Join(err, samples.Close(), console.Close()) }()
	if err := samples.Write(bench.Record{Plan: &j.Plan}); err != nil {
		return err
	}
	r := &receiver{console: console, progress: os.Stdout, write: samples.Write, name: j.Name()}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was not done in %v", limit))
	defer cancel()
	err = machine.RunDisk(ctx, vm.Disk{
		File: disk, CPUs: j.CPUs, Memory: memory, CPUModel: model, Stdout: r, End: job.EndLine,
	})
	if out := new(vm.OutputError); errors.As(err, &out) {
		return out.Err
	}
	if err == nil && r.runs < len(j.Plan.Benchmarks) {
		err = fmt.Errorf("it ended after %d of %d runs", r.runs, len(j.Plan.Benchmarks))
	}
	return err
}

// receiver takes what a machine writes to its serial port.
type receiver struct {
	console  io.Writer
	progress io.Writer // for people
	write    func(bench.Record) error
	name     string // of the machine
	runs     int
	line     bytes.Buffer
}

func (r *receiver) Write(p []byte) (int, error) {
	if n, err := r.console.Write(p); err != nil {
		return n, err
	}
	r.line.Write(p)
	for {
		line, rest, ok := bytes.Cut(r.line.Bytes(), []byte("\n"))
		if !ok {
			return len(p), nil
		}
		err := r.take(strings.TrimSuffix(string(line), "\r"))
		if err != nil {
			return 0, err
		}
		r.line = *bytes.NewBuffer(bytes.Clone(rest))
	}
}

func (r *receiver) take(line string) error {
	text, ok := strings.CutPrefix(line, job.RecordPrefix)
	if !ok {
		return nil
	}
	var record bench.Record
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return fmt.Errorf("not a record: %q", line)
	}
	if record.Error != "" {
		return errors.New(record.Error)
	}
	if run := record.Run; run != nil {
		r.runs++
		r.show(run)
	}
	return r.write(record)
}

// show tells how far the machine is.
func (r *receiver) show(run *bench.Run) {
	var out strings.Builder
	defer func() { fmt.Fprintln(r.progress, out.String()) }() // one write: of several machines
	fmt.Fprintf(&out, "%-16s %-20s", r.name, run.Benchmark)
	if run.Error != "" {
		fmt.Fprintf(&out, " FAILED: %s", run.Error)
		return
	}
	for _, unit := range []string{job.UnitCall, job.UnitMean, job.UnitParallel, job.UnitWhole} {
		if v, ok := run.Values[unit]; ok {
			fmt.Fprintf(&out, " %.0f %s", v, unit)
		}
	}
	fmt.Fprintf(&out, ", %d visits, on %d CPUs", run.Visits, len(run.Seen))
}
