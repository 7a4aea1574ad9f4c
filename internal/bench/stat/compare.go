package stat

// Change is how one benchmark's ratio changed from one set of samples to another.
type Change struct {
	Name     string   `json:"name"`
	Old      Interval `json:"old"` // ratios
	New      Interval `json:"new"`
	NOld     int      `json:"n_old"`
	NNew     int      `json:"n_new"`
	Ratio    Number   `json:"ratio"` // of the ratios' medians, new to old
	P        Number   `json:"p"`     // that they do not differ
	Differ   bool     `json:"differ"`
	Delta    string   `json:"delta"` // for people: +3.00%, or ~ when they do not differ
	Warnings []string `json:"warnings"`
}

// Compare compares the ratios of the benchmarks that are in both, in the order of the
// new ones. Times are not compared: they were measured in different boots. The two
// others are the names of those that are in one only.
func Compare(from, to []Result) (changes []Change, gone, added []string) {
	old := map[string]*Result{}
	for i := range from {
		if len(from[i].ratios()) > 0 {
			old[from[i].Benchmark.Name] = &from[i]
		}
	}
	matched := map[string]bool{}
	for i := range to {
		name := to[i].Benchmark.Name
		if len(to[i].ratios()) == 0 {
			continue
		}
		if o := old[name]; o != nil {
			changes = append(changes, change(o, &to[i]))
			matched[name] = true
		} else {
			added = append(added, name)
		}
	}
	for i := range from {
		if name := from[i].Benchmark.Name; old[name] != nil && !matched[name] {
			gone = append(gone, name)
		}
	}
	return changes, gone, added
}

func change(from, to *Result) Change {
	a, b := from.ratios(), to.ratios()
	c := Change{
		Name: to.Benchmark.Name, Old: from.Ratio, New: to.Ratio, NOld: len(a), NNew: len(b),
		Ratio: to.Ratio.Center / from.Ratio.Center, Warnings: []string{},
	}
	test := compare(a, b)
	c.P, c.Differ = Number(test.P), test.P <= test.Alpha
	c.Delta = test.FormatDelta(float64(c.Old.Center), float64(c.New.Center))
	for _, w := range test.Warnings {
		c.Warnings = append(c.Warnings, w.Error())
	}
	return c
}
