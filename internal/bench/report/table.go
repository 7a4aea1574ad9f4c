package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"apkern/internal/bench"
	"apkern/internal/bench/stat"
)

// row is one benchmark in a table.
type row struct {
	Name, About, Native, Adopted, Ratio, Bounds string
	Pairs                                       int
	P                                           string
}

func (r *Report) rows() []row {
	var rows []row
	for _, res := range r.Results {
		if len(res.Pairs) == 0 {
			continue
		}
		b := res.Benchmark
		rows = append(rows, row{
			b.Name, b.About, quantity(res.Native.Center, b.Unit), quantity(res.Adopted.Center, b.Unit),
			plain(float64(res.Ratio.Center)), bounds(res.Ratio), len(res.Pairs), probability(res.P),
		})
	}
	return rows
}

// speedUp is one benchmark whose work is shared by threads.
type speedUp struct {
	Threads int
	Times   stat.Interval // how many times as fast as natively
	Pairs   int
}

func (r *Report) speedUps() []speedUp {
	var list []speedUp
	for _, res := range r.Results {
		if res.Benchmark.Threads > 0 && len(res.Pairs) > 0 {
			list = append(list, speedUp{res.Benchmark.Threads, res.Ratio.Inverse(), len(res.Pairs)})
		}
	}
	return list
}

// WriteTable writes the results for a terminal.
func (r *Report) WriteTable(w io.Writer) error {
	var out bytes.Buffer
	for _, f := range r.facts() {
		fmt.Fprintf(&out, "%-10s %s\n", f.Name, f.Value)
	}
	if rows := r.rows(); len(rows) > 0 {
		lines := [][]string{{"benchmark", "native", "adopted", "ratio", "95 % interval", "pairs", "p"}}
		for _, row := range rows {
			lines = append(lines, []string{row.Name, row.Native, row.Adopted, row.Ratio, row.Bounds, strconv.Itoa(row.Pairs), row.P})
		}
		columns(&out, lines)
	}
	if ups := r.speedUps(); len(ups) > 0 {
		lines := [][]string{{"application CPUs", "speed-up over one of Linux's", "95 % interval"}}
		for _, u := range ups {
			lines = append(lines, []string{strconv.Itoa(u.Threads), plain(float64(u.Times.Center)), bounds(u.Times)})
		}
		columns(&out, lines)
	}
	list := r.notes()
	if len(list) > 0 {
		fmt.Fprintln(&out)
	}
	for _, n := range list {
		fmt.Fprintln(&out, n)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// columns writes lines as a table: the first column to the left, the others to the right.
func columns(out *bytes.Buffer, lines [][]string) {
	width := 0
	for _, l := range lines {
		width = max(width, len(l[0]))
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, l := range lines {
		l[0] += strings.Repeat(" ", width-len(l[0]))
		fmt.Fprintln(t, strings.Join(l, "\t")+"\t")
	}
	_ = t.Flush() // a buffer does not fail
}

// WriteMarkdown writes the table for a document.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var out bytes.Buffer
	for _, f := range r.facts() {
		fmt.Fprintf(&out, "- %s: %s\n", f.Name, f.Value)
	}
	fmt.Fprint(&out, "\n| benchmark | native | adopted | ratio | 95 % interval | pairs |\n|---|--:|--:|--:|--:|--:|\n")
	for _, row := range r.rows() {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s | %d |\n", row.Name, row.Native, row.Adopted, row.Ratio, row.Bounds, row.Pairs)
	}
	if ups := r.speedUps(); len(ups) > 0 {
		fmt.Fprint(&out, "\n| application CPUs | speed-up | 95 % interval | pairs |\n|--:|--:|--:|--:|\n")
		for _, u := range ups {
			fmt.Fprintf(&out, "| %d | %s | %s | %d |\n", u.Threads, plain(float64(u.Times.Center)), bounds(u.Times), u.Pairs)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

// WriteChanges writes how ratios changed between two reports.
func WriteChanges(w io.Writer, from, to *Report) error {
	changes, gone, added := stat.Compare(from.Results, to.Results)
	var out bytes.Buffer
	for _, side := range []struct {
		name   string
		report *Report
	}{{"old", from}, {"new", to}} {
		e, p := &side.report.Samples.Environment, &side.report.Samples.Plan
		fmt.Fprintf(&out, "%s: %s, Linux %s, %s, apkern %s, application kernel %.8s\n", side.name, side.report.Samples.File,
			e.Kernel, e.Emulator(), p.Version, e.Build)
	}
	if len(changes) > 0 {
		lines := [][]string{{"benchmark", "old ratio", "95 % interval", "new ratio", "95 % interval", "change", "p", "pairs"}}
		for _, c := range changes {
			lines = append(lines, []string{
				c.Name, plain(float64(c.Old.Center)), bounds(c.Old), plain(float64(c.New.Center)), bounds(c.New),
				c.Delta, probability(c.P), fmt.Sprintf("%d+%d", c.NOld, c.NNew),
			})
		}
		columns(&out, lines)
	}
	if notes := changeNotes(changes, gone, added); len(notes) > 0 {
		fmt.Fprintln(&out)
		for _, n := range notes {
			fmt.Fprintln(&out, n)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func changeNotes(changes []stat.Change, gone, added []string) []string {
	var notes []string
	warned := map[string]bool{}
	for _, c := range changes {
		for _, w := range c.Warnings {
			if !warned[w] {
				notes = append(notes, w)
			}
			warned[w] = true
		}
	}
	if len(gone) > 0 {
		notes = append(notes, "only in old: "+strings.Join(gone, ", "))
	}
	if len(added) > 0 {
		notes = append(notes, "only in new: "+strings.Join(added, ", "))
	}
	return notes
}

// gaps are all interruptions of a side, and how many runs they are from.
func (r *Report) gaps(side bench.Side) (ns []float64, runs int) {
	for _, run := range r.Samples.Runs {
		if _, ok := run.Values[bench.UnitLost]; ok && run.Error == "" && run.Side == side {
			ns = append(ns, run.Gaps...)
			runs++
		}
	}
	return ns, runs
}
