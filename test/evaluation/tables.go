package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"apkern/test/evaluation/job"
)

// table is figures with what must be known to read them.
type table struct {
	Title, About string
	Head         []string
	Rows         [][]string
}

// tables are all for which there are figures.
func (f *figures) tables() []table {
	list := []table{f.calls()}
	for _, name := range scaling {
		list = append(list, f.scalingTable(name))
	}
	list = append(list, f.parallelParts(), f.single(), f.raw())
	var shown []table
	for _, t := range list {
		if len(t.Rows) > 0 {
			shown = append(shown, t)
		}
	}
	return shown
}

// scaling are the benchmarks that more CPUs may make faster.
var scaling = []string{"Radix", "FFT", "LU", job.Mix}

// number writes a speed-up, "-" when it is not known.
func number(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func whole(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}

func (f *figures) calls() table {
	t := table{
		Title: "A system call, in cycles",
		About: "The best batch of a hundred calls. Forwarded: from away home and away again, which is all that the original had. " +
			"Answered: by the application CPU. At home: where the policy keeps the thread there. Beside each, how many times what Linux takes.",
		Head: []string{"call", "Linux", "forwarded", "times", "answered", "times", "at home", "times"},
	}
	for _, o := range originalGetpid {
		t.Rows = append(t.Rows, callRow("getpid, "+o.machine, o.native, o.apkern, 0, 0))
	}
	for _, n := range f.counts {
		k := key{job.Apkern, n}
		native := func(name string) float64 { return f.value(key{job.Uniprocessor, 1}, name, job.UnitCall) }
		here := func(name string) float64 { return f.value(k, name, job.UnitCall) }
		if here(job.Getpid) != 0 {
			t.Rows = append(t.Rows, callRow(fmt.Sprintf("getpid, %d CPUs", n), native(job.Getpid), here(job.Getpid+job.AnswerNone), here(job.Getpid), 0))
		}
		if here(job.Getppid) != 0 {
			t.Rows = append(t.Rows, callRow(fmt.Sprintf("getppid, %d CPUs", n), native(job.Getppid), here(job.Getppid), 0, here(job.Getppid+job.PolicyOn)))
		}
	}
	return t
}

// callRow is a call natively and in some ways, each also as a multiple.
func callRow(name string, native float64, ways ...float64) []string {
	row := []string{name, whole(native)}
	for _, v := range ways {
		times := 0.0
		if native != 0 {
			times = v / native
		}
		row = append(row, whole(v), number(times))
	}
	return row
}

func (f *figures) scalingTable(name string) table {
	t := table{
		Title: name,
		About: "Speed-up against Linux without SMP, of the whole program from its start to its end.",
		Head:  []string{"CPUs", "original: SMP", "original: application kernel", "here: SMP", "here: apkern"},
	}
	if name == job.Mix {
		t.About = "Speed-up against Linux without SMP of all six programs, started together, until the last has ended. The original's mix is of other programs."
	}
	for _, n := range f.counts {
		smp, apkern := f.speedUp(key{job.SMP, n}, name, job.UnitWhole), f.speedUp(key{job.Apkern, n}, name, job.UnitWhole)
		if smp == 0 && apkern == 0 {
			continue
		}
		o := originalSpeedUps[name][n]
		t.Rows = append(t.Rows, []string{fmt.Sprint(n), number(o.smp), number(o.apkern), number(smp), number(apkern)})
	}
	return t
}

// parallelParts is the same without what one thread does alone before and after.
func (f *figures) parallelParts() table {
	t := table{
		Title: "The part with threads alone",
		About: "Speed-up against Linux without SMP, without what the main thread does before and after.",
		Head:  []string{"CPUs"},
	}
	programs := scaling[:3]
	for _, name := range programs {
		t.Head = append(t.Head, name+": SMP", name+": apkern")
	}
	for _, n := range f.counts {
		row := []string{fmt.Sprint(n)}
		known := false
		for _, name := range programs {
			for _, system := range []job.System{job.SMP, job.Apkern} {
				v := f.speedUp(key{system, n}, name, job.UnitParallel)
				known = known || v != 0
				row = append(row, number(v))
			}
		}
		if known {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func (f *figures) single() table {
	t := table{
		Title: "Single programs",
		About: "Speed-up against Linux without SMP: below 1 is slower.",
		Head:  []string{"program", "CPUs", "original: SMP", "original: application kernel", "here: SMP", "here: apkern"},
	}
	for _, name := range []string{job.Find, job.Gcc, job.Gzip} {
		for _, n := range f.counts {
			smp, apkern := f.speedUp(key{job.SMP, n}, name, job.UnitWhole), f.speedUp(key{job.Apkern, n}, name, job.UnitWhole)
			if smp == 0 && apkern == 0 {
				continue
			}
			o := originalSpeedUps[name][n]
			t.Rows = append(t.Rows, []string{strings.ToLower(name), fmt.Sprint(n), number(o.smp), number(o.apkern), number(smp), number(apkern)})
		}
	}
	return t
}

// raw is every run that counts.
func (f *figures) raw() table {
	t := table{
		Title: "What was measured",
		About: "Cycles; of calls, one call. CPUs: those that the program found itself on. Each line is one of samples.jsonl in the machine's directory.",
		Head:  []string{"machine", "benchmark", "cycles", "of them with threads", "visits", "CPUs"},
	}
	for _, k := range f.keys() {
		j := job.Job{System: k.system, CPUs: k.cpus}
		for _, r := range f.samples[k].Runs {
			if r.Error != "" {
				continue
			}
			cycles := r.Values[job.UnitWhole]
			if call, ok := r.Values[job.UnitCall]; ok {
				cycles = call
			}
			seen := "-"
			if len(r.Seen) > 0 {
				seen = fmt.Sprint(len(r.Seen))
			}
			t.Rows = append(t.Rows, []string{j.Name(), r.Benchmark, whole(cycles), whole(r.Values[job.UnitParallel]), fmt.Sprint(r.Visits), seen})
		}
	}
	return t
}

// writeMarkdown writes tables below headings of that level.
func writeMarkdown(w io.Writer, tables []table, heading string) error {
	var out strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&out, "\n%s %s\n\n%s\n\n| %s |\n|---|%s\n", heading, t.Title, t.About, strings.Join(t.Head, " | "),
			strings.Repeat("--:|", len(t.Head)-1))
		for _, row := range t.Rows {
			fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// The marks between which a document has the tables.
const (
	beginMark = "<!-- tables: made by make evaluation -->\n"
	endMark   = "<!-- end of the tables -->\n"
)

// document puts the tables into a document.
func (f *figures) document(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(old), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return errors.New(file + " has no marks for the tables")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s%s\n", before, beginMark, f.about())
	if err := writeMarkdown(&text, f.tables(), "###"); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text.String()+"\n"+endMark+after), 0o644)
}
