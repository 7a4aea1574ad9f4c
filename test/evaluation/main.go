// Command evaluation repeats the evaluation of the original application kernel, on a
// machine in which an instruction takes a tick, and prints both side by side:
//
//	make evaluation
//	bin/evaluation [-cpus "1 2 4 8"] [-only Getpid,LU] [-systems apkern] [-params poll_us=0] [-j 2]
//
// docs/evaluation.md says what is measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"apkern/internal/bench"
	"apkern/test/evaluation/job"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "evaluation: %v\n", err)
		os.Exit(1)
	}
}

// systems are in the order of reports.
var systems = []job.System{job.Uniprocessor, job.SMP, job.Apkern}

const maxCPUs = 16

// moduleParams are what the machine needs; vm.Bochs says why.
const moduleParams = "idle=hlt"

// options are the flags.
type options struct {
	build, out, cpus, systems, only, params, document string
	parallel                                          int
	limit                                             time.Duration
}

func run() error {
	var o options
	flag.StringVar(&o.build, "build", "build", "`DIR` of what make built")
	flag.StringVar(&o.out, "o", "build/evaluation/results", "`DIR` of the samples, one directory a machine")
	flag.StringVar(&o.cpus, "cpus", "1 2 4 8", "numbers of CPUs; none: report what was run")
	flag.StringVar(&o.systems, "systems", "", "`SYSTEMS`, with commas: uniprocessor, smp, apkern (default: all)")
	flag.StringVar(&o.only, "only", "", "`BENCHMARKS`, with commas (default: all)")
	flag.StringVar(&o.params, "params", "", "more parameters of the module")
	flag.StringVar(&o.document, "document", "", "put the tables into this `FILE`, too, between its marks")
	flag.IntVar(&o.parallel, "j", 1, "machines at a time")
	flag.IntVar(&machine.Rate, "rate", machine.Rate, "ticks that are a second of the machine")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "of a machine")
	flag.Parse()
	jobs, err := o.jobs()
	if err != nil {
		return err
	}
	b, err := newBuilder(o.build)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return errors.Join(o.all(ctx, b, jobs), o.report())
}

// report shows the samples of all machines that have been run, and writes the
// page. Figures that are not to be trusted are an error.
func (o *options) report() error {
	f, err := readFigures(o.out)
	if err != nil || len(f.samples) == 0 {
		return err
	}
	tables := f.tables()
	if err := errors.Join(f.write(o.out), writeMarkdown(os.Stdout, tables, "##")); err != nil {
		return err
	}
	fmt.Printf("\n%s has plots, too.\n", filepath.Join(o.out, pageFile))
	if o.document != "" {
		if err := f.document(o.document); err != nil {
			return err
		}
	}
	var errs []error
	for _, fault := range f.faults() {
		errs = append(errs, errors.New(fault))
	}
	return errors.Join(errs...)
}

// all carries out the jobs, some at a time.
func (o *options) all(ctx context.Context, b *builder, jobs []*job.Job) error {
	errs := make([]error, len(jobs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(o.parallel, 1) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := b.carryOut(ctx, jobs[i], filepath.Join(o.out, jobs[i].Name()), o.limit); err != nil {
					errs[i] = fmt.Errorf("%s: %w", jobs[i].Name(), err)
				}
			}
		}()
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(append(errs, context.Cause(ctx))...)
}

// jobs are what the flags ask for.
func (o *options) jobs() ([]*job.Job, error) {
	chosen := systems
	if o.systems != "" {
		chosen = nil
		for _, s := range strings.Split(o.systems, ",") {
			chosen = append(chosen, job.System(s))
		}
	}
	list, err := bench.Select(job.Benchmarks(), strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' }))
	if err != nil {
		return nil, err
	}
	plan := bench.Plan{Benchmarks: list, Count: 1, Programs: job.ProgramsDir, Limit: o.limit, Place: "bochs"}
	var jobs []*job.Job
	for _, word := range strings.Fields(o.cpus) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > maxCPUs {
			return nil, fmt.Errorf("-cpus %s: 1 to %d are possible", word, maxCPUs)
		}
		for _, s := range chosen {
			if !slices.Contains(systems, s) {
				return nil, fmt.Errorf("-systems %s: there are uniprocessor, smp, apkern", s)
			}
			// Linux without SMP uses one CPU, and the others differ from it with more.
			if (s == job.Uniprocessor) == (n == 1) {
				jobs = append(jobs, &job.Job{System: s, CPUs: n, Plan: plan, Params: strings.TrimSpace(moduleParams + " " + o.params)})
			}
		}
	}
	return jobs, nil
}
