package report

import (
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"io"

	"apkern/internal/bench"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

var pageTemplate = PageTemplate(pageText)

// PageTemplate is the template of a page that looks as ours do: {{style}} stands for
// its style sheet.
func PageTemplate(text string) *template.Template {
	functions := template.FuncMap{"style": func() template.CSS { return template.CSS(style) }}
	return template.Must(template.New("page").Funcs(functions).Parse(text))
}

// figure is a plot in the page.
type figure struct {
	Title   string
	SVG     template.HTML
	Caption string
	Source  string // what it was drawn from
}

// WritePage writes one page that needs no other file.
func (r *Report) WritePage(w io.Writer) error {
	figures, err := r.figures()
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, struct {
		Facts   []fact
		Rows    []row
		Figures []figure
		Notes   []string
	}{r.facts(), r.rows(), figures, r.notes()})
}

// figures are the plots for which there are samples.
func (r *Report) figures() ([]figure, error) {
	var list []figure
	for _, f := range []struct {
		title, caption string
		draw           func() (*Drawing, error)
		uses           func(*bench.Benchmark) bool
	}{
		{"Ratios", "How many times as long the adopted run of a pair took: median and 95 % interval. Left of the line apkern is faster.",
			r.ratioPlot, func(*bench.Benchmark) bool { return true }},
		{"Calls", "The time of a system call by its path: native; adopted with the policy off, home and away again each time; adopted with the policy on.",
			r.callPlot, func(b *bench.Benchmark) bool { return b.Group == bench.GroupCall }},
		{"Speed-up", "The same work shared by as many threads as application CPUs, against one thread on one of Linux's CPUs: median and 95 % interval.",
			r.speedUpPlot, func(b *bench.Benchmark) bool { return b.Threads > 0 }},
		{"Interruptions", "Pauses of more than 5 µs of a thread that reads the time-stamp counter without a pause.",
			r.gapPlot, func(b *bench.Benchmark) bool { return b.Unit == bench.UnitLost }},
	} {
		d, err := f.draw()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.title, err)
		}
		if d == nil {
			continue // there is nothing to draw
		}
		svg, err := d.SVG()
		if err != nil {
			return nil, err
		}
		list = append(list, figure{f.title, template.HTML(svg), f.caption, r.source(f.uses)})
	}
	return list, nil
}

// source names the raw samples of some benchmarks.
func (r *Report) source(of func(*bench.Benchmark) bool) string {
	pairs := 0
	for i := range r.Results {
		if of(&r.Results[i].Benchmark) {
			pairs += len(r.Results[i].Pairs)
		}
	}
	return fmt.Sprintf("%d pairs of %s", pairs, r.Samples.File)
}
