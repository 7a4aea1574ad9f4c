package main

import "apkern/test/evaluation/job"

// What the original reported: Kågström, Grahn, Lundberg, "The application kernel
// approach", Software: Practice and Experience 36(13), 2006. CPUs count Linux's own: 2 are one
// application CPU. Of a pair the first is of Linux with SMP, the second of
// the application kernel; 0: not reported.

// pair is a speed-up against Linux without SMP.
type pair struct{ smp, apkern float64 }

// originalSpeedUps are by benchmark and number of CPUs.
var originalSpeedUps = map[string]map[int]pair{
	"Radix": {2: {2.0433, 1.0834}, 3: {3.3758, 2.5174}, 4: {4.0885, 3.7227}, 5: {5.1898, 4.8200}, 6: {5.9562, 5.5736}, 7: {6.9355, 6.1934}, 8: {8.0009, 6.0924}},
	"FFT":   {2: {1.6916, 1.0401}, 3: {2.2930, 1.8654}, 4: {2.5090, 2.3235}, 5: {2.8456, 2.6323}, 6: {2.9927, 2.8626}, 7: {3.1732, 3.0188}, 8: {3.3272, 3.0745}},
	"LU":    {2: {1.9217, 1.2662}, 3: {2.9430, 2.0795}, 4: {3.5053, 2.9941}, 5: {4.0857, 3.8009}, 6: {4.7706, 5.0445}, 7: {5.3277, 5.1628}, 8: {6.0084, 0}},
	job.Mix: {2: {1.5049, 0.9705}, 3: {1.6627, 1.1375}, 4: {1.6850, 1.1779}, 5: {1.6782, 1.1878}, 6: {1.6845, 1.1962}, 7: {1.6803, 1.2059}, 8: {1.6839, 0}},

	job.Find: {2: {0.9803, 0.7844}, 4: {0.9807, 0.8641}, 8: {0.9776, 0.8831}},
	job.Gcc:  {2: {1.0015, 0.8976}, 4: {1.0047, 0.9218}, 8: {1.0055, 0.9260}},
	job.Gzip: {2: {1.0008, 0.9461}, 4: {1.0014, 0.9462}, 8: {1.0017, 0.9462}},
}

// originalGetpid is what a call took, in cycles.
var originalGetpid = []struct {
	machine        string
	native, apkern float64
}{
	{"original, Pentium Pro", 970, 5700},
	{"original, simulator", 74, 860},
}
