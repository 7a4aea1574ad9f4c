package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"apkern/abi"
)

// statistics are all counters at one moment, by name; what stat --json writes.
type statistics struct {
	Home    map[string]uint64 `json:"home"`
	Decline map[string]uint64 `json:"decline"`
	CPUs    []cpuStatistics   `json:"cpus"`
}

type cpuStatistics struct {
	CPU      int               `json:"cpu"` // Linux's number
	Counters map[string]uint64 `json:"counters"`
}

func statCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "stat",
		Short: "show how often what happened, on each CPU and at home",
		Long: `Shows the counters that are not zero: what happened on each application CPU,
what the module did at home, and why threads stayed home. The counters run from
the insertion of the module.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := readStatistics()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(os.Stdout, s)
			}
			return s.write(os.Stdout)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON, with the counters that are zero")
	return c
}

// readStatistics reads the mapped counters of the device.
func readStatistics() (*statistics, error) {
	v, err := openView()
	if err != nil {
		return nil, err
	}
	defer v.close()
	home := v.memory.Home()
	s := &statistics{
		Home:    named(abi.HomeCounters[:], home.Count[:]),
		Decline: named(abi.Declines[:], home.Decline[:]),
		CPUs:    []cpuStatistics{},
	}
	for _, c := range v.cpus {
		counters := v.memory.CPU(c.Index)
		s.CPUs = append(s.CPUs, cpuStatistics{c.Number, named(abi.CPUCounters[:], counters.Count[:])})
	}
	return s, nil
}

func named(counters []abi.Counter, values []uint64) map[string]uint64 {
	m := make(map[string]uint64, len(counters))
	for i, c := range counters {
		m[c.Name] = values[i]
	}
	return m
}

func (s *statistics) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "on application CPUs")
	for _, c := range s.CPUs {
		fmt.Fprintf(t, "\tCPU %d", c.CPU)
	}
	fmt.Fprintln(t, "\tmeaning")
	for _, c := range abi.CPUCounters {
		row, seen := "  "+c.Name, false
		for _, cpu := range s.CPUs {
			row += fmt.Sprintf("\t%d", cpu.Counters[c.Name])
			seen = seen || cpu.Counters[c.Name] != 0
		}
		if seen {
			fmt.Fprintf(t, "%s\t%s\n", row, c.Meaning)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		title    string
		counters []abi.Counter
		values   map[string]uint64
	}{
		{"at home", abi.HomeCounters[:], s.Home},
		{"visits not made because", abi.Declines[:], s.Decline},
	} {
		fmt.Fprintf(t, "\n%s\n", part.title)
		for _, c := range part.counters {
			if v := part.values[c.Name]; v != 0 {
				fmt.Fprintf(t, "  %s\t%d\t%s\n", c.Name, v, c.Meaning)
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}
