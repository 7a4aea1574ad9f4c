package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"apkern/internal/bench"
	"apkern/internal/bench/report"
	"apkern/internal/bench/stat"
	"apkern/internal/bench/store"
)

// pageFile is the name of the page in a directory of samples.
const pageFile = "report.html"

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "measure what application CPUs cost and gain",
		Long: `Runs programs natively and adopted, in turn and many times, and shows how the two
compare: medians of the ratios of such pairs, with confidence intervals. Each
program says by CPUID where it ran; a run that was not where it should be is an
error, not a figure.

run writes its samples to a directory: samples.jsonl has all of them, bench.txt
those that count in the format of Go's benchmarks (benchstat -col /side reads
it), report.html a page with plots.`,
	}
	c.AddCommand(benchListCommand(), benchRunCommand(), benchReportCommand(), benchCompareCommand(), benchAgentCommand())
	return c
}

func benchListCommand() *cobra.Command {
	var cpus int
	c := &cobra.Command{
		Use:   "list",
		Short: "list the benchmarks",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if cpus < 1 {
				return fmt.Errorf("--cpus %d: there must be an application CPU", cpus)
			}
			group := ""
			for _, b := range bench.All(cpus) {
				if b.Group != group {
					group = b.Group
					fmt.Println(group)
				}
				fmt.Printf("  %-20s %s\n", b.Name, b.About)
			}
			return nil
		},
	}
	c.Flags().IntVar(&cpus, "cpus", 3, "number of application CPUs")
	return c
}

func benchReportCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "report DIR",
		Short: "show what was measured",
		Long:  `Writes DIR/report.html, and the results to stdout. JSON has all samples, too.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			if err := writePage(args[0], r); err != nil {
				return err
			}
			switch format {
			case "table":
				return r.WriteTable(os.Stdout)
			case "json":
				return r.WriteJSON(os.Stdout)
			case "markdown":
				return r.WriteMarkdown(os.Stdout)
			}
			return fmt.Errorf("--format %s: table, json and markdown are possible", format)
		},
	}
	c.Flags().StringVar(&format, "format", "table", "`FORMAT` on stdout: table, json or markdown")
	return c
}

func benchCompareCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "show how ratios changed between two directories of samples",
		Long: `Compares the ratios, adopted to native, of the benchmarks that both directories
have: the change of the median, or ~ when a Mann-Whitney U test finds none at
the level of 0.05. Times are not compared: they were measured in different boots.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			from, err := readReport(args[0])
			if err != nil {
				return err
			}
			to, err := readReport(args[1])
			if err != nil {
				return err
			}
			changes, gone, added := stat.Compare(from.Results, to.Results)
			if len(changes) == 0 {
				return fmt.Errorf("%s and %s have no benchmark in common that was measured", args[0], args[1])
			}
			if asJSON {
				e := json.NewEncoder(os.Stdout)
				e.SetIndent("", "  ")
				return e.Encode(map[string]any{"changes": changes, "only_old": gone, "only_new": added})
			}
			return report.WriteChanges(os.Stdout, from, to)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

func readReport(dir string) (*report.Report, error) {
	s, err := store.Read(dir)
	if err != nil {
		return nil, err
	}
	return report.New(s), nil
}

// writePage writes the page as a whole or not at all.
func writePage(dir string, r *report.Report) error {
	f, err := os.CreateTemp(dir, pageFile+".*")
	if err != nil {
		return err
	}
	err = errors.Join(r.WritePage(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, pageFile))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
