package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"apkern/internal/bench"
	"apkern/internal/bench/report"
	"apkern/internal/bench/runner"
	"apkern/internal/bench/stat"
	"apkern/internal/bench/store"
	"apkern/internal/client"
)

// What tests replace: the machine that runs are made on, and where the programs are.
var (
	openBenchMachine = func(p *bench.Plan) (runner.Machine, error) { return runner.NewHere(p) }
	benchPrograms    = findBenchPrograms
)

// Where a plan is carried out.
const (
	onVM   = "vm"
	onHere = "here"
)

// maxPairs bounds -n: more would take days.
const maxPairs = 10000

// benchOptions are the flags of bench run.
type benchOptions struct {
	count int
	dir   string
	on    string
	limit time.Duration
	// The directory of the programs; "": where it is found.
	programs string
	vm       vmOptions
}

func benchRunCommand() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "run [flags] [NAME|GROUP]...",
		Short: "run benchmarks natively and adopted, in turn",
		Long: `Runs the benchmarks of these names and groups, all without one, and writes samples
and a page to a directory. Where the module is loaded they run on this machine,
which should have nothing else to do, else in a virtual machine; --on chooses.
Other flags than -n, -o, --on, --limit and --programs are the virtual machine's.

The exit status is 1 when a run failed or was not where it should be. An
interruption keeps what was measured and ends with 130.`,
		RunE: func(_ *cobra.Command, args []string) error { return o.run(args) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, b := range bench.All(3) {
				names = append(names, b.Name, b.Group)
			}
			slices.Sort(names)
			return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
		},
	}
	o.vm.boot = bootTime
	f := c.Flags()
	f.IntVarP(&o.count, "count", "n", 10, "measure each benchmark this `COUNT` of pairs")
	f.StringVarP(&o.dir, "output", "o", "", "write to this `DIR` (default: apkern-bench-, date and time)")
	f.StringVar(&o.on, "on", "", "`PLACE` to run on: here, or vm (default: here when the module is loaded)")
	f.DurationVar(&o.limit, "limit", 2*time.Minute, "give up a run after this `TIME`")
	f.StringVar(&o.programs, "programs", "", "`DIR` of the benchmarks' programs (default: those that were built or installed with this command)")
	f.IntVar(&o.vm.cpus, "cpus", 4, "number of CPUs")
	f.IntVar(&o.vm.threads, "threads", 1, "CPUs that share a core")
	f.StringVar(&o.vm.home, "home", "0", "`CPULIST` that Linux gets: the first CPUs, as 0 or 0-1")
	f.StringVar(&o.vm.kernel, "kernel", "", "kernel `RELEASE` of /boot, or a file (default: the one the module is built for)")
	f.StringVar(&o.vm.memory, "memory", "2G", "memory `SIZE`")
	f.StringVar(&o.vm.module, "module", "", "insert this module `FILE`")
	f.StringVar(&o.vm.params, "module-params", "", "insert the module with these `PARAMS`, as 'cpus=2-3'")
	f.StringVar(&o.vm.cpu, "cpu", "max", "QEMU's name of the CPU `MODEL`")
	f.BoolVar(&o.vm.noModule, "no-module", false, "for tests of this command")
	_ = f.MarkHidden("no-module") // it is there
	return c
}

// run makes the runs and shows what they came to.
func (o *benchOptions) run(names []string) error {
	plan, err := o.plan(names)
	if err != nil {
		return err
	}
	w, err := store.Create(o.dir)
	if err != nil {
		return err
	}
	samples, err := o.measure(plan, w)
	if err != nil && len(samples.Runs) == 0 {
		return errors.Join(err, w.Discard())
	}
	r := report.New(samples)
	shown := errors.Join(w.Close(), r.WriteTable(os.Stdout), writePage(o.dir, r))
	fmt.Printf("\n%s has the plots\n", filepath.Join(o.dir, pageFile))
	switch exit := new(exitError); {
	case shown != nil:
		return errors.Join(err, shown)
	case errors.As(err, &exit) && exit.err == nil:
		return &exitError{exit.status, fmt.Errorf("interrupted; what was measured is in %s", o.dir)}
	case err == nil && stat.Failed(r.Results):
		return errors.New("some runs count for nothing: see above")
	}
	return err
}

// plan is what the flags and names ask for.
func (o *benchOptions) plan(names []string) (*bench.Plan, error) {
	if o.count < 1 || o.count > maxPairs {
		return nil, fmt.Errorf("-n %d: from 1 to %d are possible", o.count, maxPairs)
	}
	if o.limit <= 0 {
		return nil, fmt.Errorf("--limit %v: there must be some time", o.limit)
	}
	cpus, err := o.applicationCPUs()
	if err != nil {
		return nil, err
	}
	list, err := bench.Select(bench.All(cpus), names)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if o.dir == "" {
		o.dir = "apkern-bench-" + now.Format("20060102-150405")
	}
	find := benchPrograms
	if o.programs != "" {
		find = func() (string, error) { return filepath.Abs(o.programs) }
	}
	programs, err := find()
	return &bench.Plan{
		Benchmarks: list, Count: o.count, Programs: programs, Limit: o.limit,
		Version: version(), Begun: now.UTC().Truncate(time.Second), HostCPUs: runtime.NumCPU(), Place: o.on,
	}, err
}

// applicationCPUs chooses where to run, and returns how many application CPUs are there.
func (o *benchOptions) applicationCPUs() (int, error) {
	st, err := sysfs.Status()
	switch {
	case o.on == "" && errors.Is(err, client.ErrNotLoaded):
		o.on = onVM
	case o.on == "":
		o.on = onHere
	}
	switch o.on {
	case onVM:
		home, err := homeCPUs(o.vm.home, o.vm.cpus)
		if err == nil && home == o.vm.cpus {
			err = fmt.Errorf("--home %s: no application CPU is left; raise --cpus", o.vm.home)
		}
		return o.vm.cpus - home, err
	case onHere:
		if err == nil && len(st.CPUs) == 0 {
			err = errors.New("there is no application CPU on this machine")
		}
		return len(st.CPUs), err
	}
	return 0, fmt.Errorf("--on %s: %s and %s are possible", o.on, onHere, onVM)
}

// measure carries the plan out and returns what was recorded, which is kept whatever
// happens.
func (o *benchOptions) measure(plan *bench.Plan, w *store.Writer) (*store.Samples, error) {
	samples := &store.Samples{File: w.File()}
	shown := newBenchProgress(plan)
	emit := func(r bench.Record) error {
		samples.Add(r)
		shown.record(r)
		return w.Write(r)
	}
	if err := emit(bench.Record{Plan: plan}); err != nil {
		return samples, err
	}
	var err error
	if o.on == onHere {
		err = benchHere(plan, emit)
	} else {
		err = o.inVM(plan, emit)
	}
	shown.show("")
	return samples, err
}

// benchContext ends with a signalError for a signal that asks this process to end.
func benchContext() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s := <-caught
		// A second one ends this process as usual.
		signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		cancel(&signalError{s.(syscall.Signal)})
	}()
	return ctx, func() { cancel(nil) }
}

// benchHere carries the plan out on this machine.
func benchHere(plan *bench.Plan, emit func(bench.Record) error) error {
	ctx, stop := benchContext()
	defer stop()
	return runResult(0, runner.Open(ctx, plan, emit, openBenchMachine))
}

// inVM carries the plan out in a virtual machine, by bench agent.
func (o *benchOptions) inVM(plan *bench.Plan, emit func(bench.Record) error) error {
	config, err := o.vm.config([]string{"apkern", "bench", "agent"})
	if err != nil {
		return err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	records, output := io.Pipe()
	config.Stdin, config.Stdout, config.Stderr = bytes.NewReader(text), output, os.Stderr
	received := make(chan error, 1)
	go func() {
		err := runner.Receive(records, emit)
		// Nobody reads on: the machine's next output ends it.
		_ = records.CloseWithError(err)
		received <- err
	}()
	err = runVM(config, 0)
	_ = output.Close()
	if said := <-received; said != nil {
		return said
	}
	return err
}

// benchAgentCommand is the far end of bench run in a machine: it reads a plan from
// stdin and writes records to stdout.
func benchAgentCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "agent",
		Short:  "carry out a plan from stdin",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := benchContext()
			defer stop()
			err := runner.Serve(ctx, os.Stdin, os.Stdout, openBenchMachine)
			if err == nil || context.Cause(ctx) != nil {
				return runResult(0, err)
			}
			return &exitError{status: 1} // the near end was told why
		},
	}
}

// findBenchPrograms returns the directory of the benchmarks' programs.
func findBenchPrograms() (string, error) {
	dir, err := findProduct(benchDir)
	if err != nil {
		return "", errors.New("the benchmarks' programs are not built: run make")
	}
	return dir, nil
}

// benchProgress shows how far a plan has come.
type benchProgress struct {
	show       func(string)
	plan       *bench.Plan
	begun      time.Time
	done, runs int
}

func newBenchProgress(plan *bench.Plan) *benchProgress {
	return &benchProgress{show: progress(), plan: plan, runs: len(bench.Sides) * plan.Count * len(plan.Benchmarks)}
}

func (p *benchProgress) record(r bench.Record) {
	switch {
	case r.Environment != nil:
		p.begun = time.Now()
	case r.Skip != nil:
		p.runs -= len(bench.Sides) * p.plan.Count
	case r.Run != nil:
		p.done++
		left := time.Duration(float64(time.Since(p.begun)) * float64(p.runs-p.done) / float64(p.done))
		p.show(fmt.Sprintf("%d of %d runs, %v left: %s", p.done, p.runs, left.Round(time.Second), r.Run.Benchmark))
	}
}
