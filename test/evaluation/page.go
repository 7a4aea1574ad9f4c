package main

import (
	_ "embed" // the page's template
	"errors"
	"fmt"
	"html/template"
	"image/color"
	"io"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"apkern/internal/bench/report"
	"apkern/test/evaluation/job"
)

//go:embed page.html
var pageText string

var pageTemplate = report.PageTemplate(pageText)

// Files of the report.
const (
	pageFile  = "report.html"
	tableFile = "report.md"
)

// write writes the report to a directory.
func (f *figures) write(dir string) error {
	page, err := os.Create(filepath.Join(dir, pageFile))
	if err != nil {
		return err
	}
	if err := errors.Join(f.writePage(page), page.Close()); err != nil {
		return err
	}
	text, err := os.Create(filepath.Join(dir, tableFile))
	if err != nil {
		return err
	}
	return errors.Join(writeMarkdown(text, f.tables(), "##"), text.Close())
}

// figure is a plot in the page.
type figure struct {
	Title   string
	SVG     template.HTML
	Caption string
}

// writePage writes one page that needs no other file.
func (f *figures) writePage(w io.Writer) error {
	var plots []figure
	for _, name := range scaling {
		d, err := f.scalingPlot(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		svg, err := d.SVG()
		if err != nil {
			return err
		}
		plots = append(plots, figure{name, template.HTML(svg), "Speed-up against Linux without SMP. Dashed: the original's, on its machine."})
	}
	return pageTemplate.Execute(w, struct {
		About  string
		Faults []string
		Plots  []figure
		Tables []table
	}{f.about(), f.faults(), plots, f.tables()})
}

// about says what was measured.
func (f *figures) about() string {
	text := "Bochs, one instruction a tick."
	for _, k := range f.keys() {
		e := &f.samples[k].Environment
		if k.system == job.Apkern {
			return text + fmt.Sprintf(" Linux %s, application kernel %.8s.", e.Kernel, e.Build)
		}
	}
	return text
}

// scalingPlot has the speed-up by number of CPUs, the original's and ours.
func (f *figures) scalingPlot(name string) (*report.Drawing, error) {
	c := plot.New()
	c.X.Label.Text, c.Y.Label.Text = "CPUs", "speed-up"
	c.X.Tick.Marker = report.WholeTicks{}
	c.Add(plotter.NewGrid())
	original := func(smp bool) (points plotter.XYs) {
		for n := 1; n <= maxCPUs; n++ {
			o := originalSpeedUps[name][n]
			v := o.apkern
			if smp {
				v = o.smp
			}
			if v != 0 {
				points = append(points, plotter.XY{X: float64(n), Y: v})
			}
		}
		return points
	}
	here := func(system job.System) (points plotter.XYs) {
		for _, n := range f.counts {
			if v := f.speedUp(key{system, n}, name, job.UnitWhole); v != 0 {
				points = append(points, plotter.XY{X: float64(n), Y: v})
			}
		}
		return points
	}
	most := 8.0
	for _, line := range []struct {
		legend string
		points plotter.XYs
		color  color.Color
		dashed bool
	}{
		{"original: SMP", original(true), report.NativeColor, true},
		{"original: application kernel", original(false), report.AdoptedColor, true},
		{"here: SMP", here(job.SMP), report.NativeColor, false},
		{"here: apkern", here(job.Apkern), report.AdoptedColor, false},
	} {
		if len(line.points) == 0 {
			continue
		}
		l, p, err := plotter.NewLinePoints(line.points)
		if err != nil {
			return nil, err
		}
		l.Color, p.Color = line.color, line.color
		if line.dashed {
			l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		c.Add(l, p)
		c.Legend.Add(line.legend, l, p)
		most = max(most, line.points[len(line.points)-1].X)
	}
	c.Legend.Top, c.Legend.Left = true, true
	c.X.Min, c.X.Max, c.Y.Min = 1, most, 0
	return &report.Drawing{Plot: c, Height: 9 * vg.Centimeter}, nil
}
