package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"apkern/internal/bench"
	"apkern/internal/bench/stat"
)

// Colours of the sides.
var (
	NativeColor  = color.RGBA{R: 0x8a, G: 0x8a, B: 0x8a, A: 0xff}
	AdoptedColor = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
)

const width = 17 * vg.Centimeter

func init() {
	// As the page: Arial, which is everywhere, has the same widths.
	plot.DefaultFont.Variant = "Sans"
}

// Drawing is a plot that is so high.
type Drawing struct {
	*plot.Plot
	Height vg.Length
}

// SVG draws it, for a page.
func (d Drawing) SVG() ([]byte, error) {
	c := vgsvg.New(width, d.Height)
	d.Legend.Padding = vg.Points(3)
	d.Draw(draw.New(c))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return nil, err
	}
	// Inside a page there is no declaration.
	_, body, _ := bytes.Cut(out.Bytes(), []byte("<svg"))
	return append([]byte("<svg"), body...), nil
}

// points are medians with their intervals along one axis, the other counts 0, 1, …
type points struct {
	plotter.XYs
	plotter.XErrors
	plotter.YErrors
}

// add adds a median at a place; an interval without bounds is not drawn.
func (p *points) add(place float64, i stat.Interval, horizontal bool) {
	c, lo, hi := float64(i.Center), float64(i.Lo), float64(i.Hi)
	if math.IsInf(lo, 0) || math.IsInf(hi, 0) || lo <= 0 {
		lo, hi = c, c
	}
	xy := plotter.XY{X: place, Y: c}
	if horizontal {
		xy = plotter.XY{X: c, Y: place}
	}
	p.XYs = append(p.XYs, xy)
	type bound = struct{ Low, High float64 }
	p.XErrors = append(p.XErrors, bound{c - lo, hi - c})
	p.YErrors = append(p.YErrors, bound{c - lo, hi - c})
}

// drawTo adds the points to a plot, with a line in the legend unless that is "".
func (p *points) drawTo(to *plot.Plot, horizontal bool, c color.Color, legend string) error {
	marks, err := plotter.NewScatter(p.XYs)
	if err != nil {
		return err
	}
	marks.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}
	to.Add(marks)
	if legend != "" {
		to.Legend.Add(legend, marks)
	}
	if horizontal {
		bars, err := plotter.NewXErrorBars(p)
		if err != nil {
			return err
		}
		bars.Color = c
		to.Add(bars)
		return nil
	}
	bars, err := plotter.NewYErrorBars(p)
	if err != nil {
		return err
	}
	bars.Color = c
	to.Add(bars)
	return nil
}

// rows is an empty plot with a row a name, on a logarithmic axis.
func rows(label string, names []string) *plot.Plot {
	c := plot.New()
	c.X.Label.Text = label
	logAxis(&c.X)
	c.NominalY(names...)
	c.Add(plotter.NewGrid())
	return c
}

// ratioPlot has each benchmark's ratio, beside a line at 1.
func (r *Report) ratioPlot() (*Drawing, error) {
	var p points
	var names []string
	for i := len(r.Results) - 1; i >= 0; i-- { // the first is to stand on top
		if res := r.Results[i]; res.Ratio.Center > 0 {
			p.add(float64(len(names)), res.Ratio, true)
			names = append(names, res.Benchmark.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	c := rows("adopted / native", names)
	line, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(names)) - 0.5}})
	if err != nil {
		return nil, err
	}
	line.Color = NativeColor
	c.Add(line)
	if err := p.drawTo(c, true, AdoptedColor, ""); err != nil {
		return nil, err
	}
	widen(&c.X)
	c.Y.Min, c.Y.Max = -0.5, float64(len(names))-0.5
	return &Drawing{c, vg.Length(len(names)+4) * 0.55 * vg.Centimeter}, nil
}

// callPlot has what each call takes on each side.
func (r *Report) callPlot() (*Drawing, error) {
	var native, adopted points
	var names []string
	for i := len(r.Results) - 1; i >= 0; i-- {
		res := r.Results[i]
		if res.Benchmark.Group == bench.GroupCall && len(res.Pairs) > 0 && res.Native.Center > 0 && res.Adopted.Center > 0 {
			native.add(float64(len(names)), res.Native, true)
			adopted.add(float64(len(names)), res.Adopted, true)
			names = append(names, res.Benchmark.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	c := rows("ns a call", names)
	if err := native.drawTo(c, true, NativeColor, "native"); err != nil {
		return nil, err
	}
	if err := adopted.drawTo(c, true, AdoptedColor, "adopted"); err != nil {
		return nil, err
	}
	widen(&c.X)
	c.Legend.Top = true
	c.Y.Min, c.Y.Max = -0.5, float64(len(names))+0.5 // with room for the legend
	return &Drawing{c, vg.Length(len(names)+4) * 0.7 * vg.Centimeter}, nil
}

// speedUpPlot has the speed-up by number of application CPUs, beside the ideal.
func (r *Report) speedUpPlot() (*Drawing, error) {
	ups := r.speedUps()
	if len(ups) == 0 {
		return nil, nil
	}
	var p points
	most := 0
	for _, u := range ups {
		p.add(float64(u.Threads), u.Times, false)
		most = max(most, u.Threads)
	}
	c := plot.New()
	c.X.Label.Text = "application CPUs"
	c.Y.Label.Text = "speed-up over one of Linux's"
	c.X.Tick.Marker = WholeTicks{}
	ideal, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: float64(most), Y: float64(most)}})
	if err != nil {
		return nil, err
	}
	ideal.Color, ideal.Dashes = NativeColor, []vg.Length{vg.Points(4), vg.Points(3)}
	c.Add(plotter.NewGrid(), ideal)
	c.Legend.Add("ideal", ideal)
	if err := p.drawTo(c, false, AdoptedColor, "measured"); err != nil {
		return nil, err
	}
	c.Legend.Top, c.Legend.Left = true, true
	c.X.Min, c.X.Max, c.Y.Min = 0, float64(most)+0.3, 0
	return &Drawing{c, 8 * vg.Centimeter}, nil
}

// WholeTicks marks whole numbers.
type WholeTicks struct{}

// Ticks implements plot.Ticker.
func (WholeTicks) Ticks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for n := math.Ceil(lo); n <= hi; n++ {
		ticks = append(ticks, plot.Tick{Value: n, Label: fmt.Sprintf("%.0f", n)})
	}
	return ticks
}

// gapPlot has how often interruptions of which length came, a run.
func (r *Report) gapPlot() (*Drawing, error) {
	c := plot.New()
	c.X.Label.Text = "length of the interruption, µs"
	c.Y.Label.Text = "interruptions a run"
	drawn := 0
	for i, side := range bench.Sides {
		gaps, runs := r.gaps(side)
		if runs == 0 {
			continue
		}
		drawn++
		color := []color.Color{NativeColor, AdoptedColor}[i]
		line, err := plotter.NewLine(histogram(gaps, runs))
		if err != nil {
			return nil, err
		}
		line.StepStyle, line.Color, line.Width = plotter.PostStep, color, vg.Points(1.5)
		c.Add(line)
		c.Legend.Add(fmt.Sprintf("%s: %d in %d runs", side, len(gaps), runs), line)
	}
	if drawn == 0 {
		return nil, nil
	}
	c.Add(plotter.NewGrid())
	logAxis(&c.X)
	c.Y.Min = 0
	c.Legend.Top = true
	return &Drawing{c, 8 * vg.Centimeter}, nil
}

// Bins of the histogram, µs: half a power of two each.
const (
	firstBin = 4
	binCount = 28
)

// histogram counts gaps by length: bins from four microseconds to 65 milliseconds; the
// last has all that are longer.
func histogram(gaps []float64, runs int) plotter.XYs {
	bins := make(plotter.XYs, binCount+1)
	for i := range bins {
		bins[i].X = firstBin * math.Pow(2, float64(i)/2)
	}
	for _, ns := range gaps {
		i := int(2 * math.Log2(ns/1000/firstBin))
		bins[min(max(i, 0), binCount-1)].Y += 1 / float64(runs)
	}
	return bins
}

func logAxis(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	a.Tick.Marker = plot.LogTicks{Prec: -1}
}

// widen makes a logarithmic axis end at powers of ten.
func widen(a *plot.Axis) {
	a.Min = math.Pow(10, math.Floor(math.Log10(a.Min))) * 0.999 // or its mark is missing
	a.Max = math.Pow(10, math.Ceil(math.Log10(a.Max)))
}
