package store

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"golang.org/x/perf/benchfmt"

	"apkern/internal/bench"
)

// goFormat writes good runs in Go's benchmark format: the side is part of the name, so
// that `benchstat -col /side bench.txt` has a column for each.
type goFormat struct {
	w      *benchfmt.Writer
	plan   bench.Plan
	config []benchfmt.Config
	units  map[string]bool // that were declared
}

func newGoFormat(w io.Writer) *goFormat {
	return &goFormat{w: benchfmt.NewWriter(w), units: map[string]bool{bench.UnitTime: true}}
}

func (g *goFormat) write(r bench.Record) error {
	switch {
	case r.Plan != nil:
		g.plan = *r.Plan
	case r.Environment != nil:
		g.configure(r.Environment)
	case r.Run != nil && r.Run.Error == "":
		return g.run(r.Run)
	}
	return nil
}

func (g *goFormat) configure(e *bench.Environment) {
	for _, c := range [][2]string{
		{"goos", "linux"}, {"goarch", "amd64"}, {"pkg", "apkern"}, {"cpu", e.CPU},
		{"kernel", e.Kernel}, {"emulator", e.Emulator()},
		{"home-cpus", strconv.Itoa(len(e.Home))}, {"application-cpus", strconv.Itoa(len(e.Application))},
		{"apkern", g.plan.Version}, {"apkern-build", e.Build}, {"date", g.plan.Begun.UTC().Format(time.RFC3339)},
	} {
		g.config = append(g.config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
	}
}

func (g *goFormat) run(r *bench.Run) error {
	result := &benchfmt.Result{
		Config: g.config,
		Name:   benchfmt.Name(r.Benchmark + "/side=" + string(r.Side)),
		Iters:  int(r.Ops),
	}
	for _, unit := range slices.Sorted(maps.Keys(r.Values)) {
		if err := g.declare(unit); err != nil {
			return err
		}
		result.Values = append(result.Values, benchfmt.Value{Value: r.Values[unit], Unit: unit})
	}
	return g.w.Write(result)
}

// declare says of a unit that Go does not know that less is better.
func (g *goFormat) declare(unit string) error {
	if g.units[unit] {
		return nil
	}
	g.units[unit] = true
	return g.w.Write(&benchfmt.UnitMetadata{
		UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: "lower",
	})
}
