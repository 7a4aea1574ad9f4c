package runner

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"apkern/internal/bench"
)

// Serve is the far end of a stream: it reads a plan from in, carries it out on the
// machine that open prepares, and writes one record a line to out.
func Serve(ctx context.Context, in io.Reader, out io.Writer, open func(*bench.Plan) (Machine, error)) error {
	var plan bench.Plan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	lines := json.NewEncoder(out)
	emit := func(r bench.Record) error { return lines.Encode(r) }
	err := Open(ctx, &plan, emit, open)
	if err != nil && context.Cause(ctx) == nil {
		return errors.Join(emit(bench.Record{Error: err.Error()}), err)
	}
	return err
}

// Open prepares a machine, carries out the plan on it and closes it.
func Open(ctx context.Context, plan *bench.Plan, emit func(bench.Record) error, open func(*bench.Plan) (Machine, error)) error {
	m, err := open(plan)
	if err != nil {
		return err
	}
	return errors.Join(Carry(ctx, m, plan, emit), m.Close())
}

// Receive is the near end: it emits what Serve writes, until the stream ends.
func Receive(r io.Reader, emit func(bench.Record) error) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without an end is what an interruption left
		}
		if err != nil {
			return err
		}
		var rec bench.Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return fmt.Errorf("not a record: %.80q", line)
		}
		if rec.Error != "" {
			return errors.New(rec.Error)
		}
		if err := emit(rec); err != nil {
			return err
		}
	}
}
