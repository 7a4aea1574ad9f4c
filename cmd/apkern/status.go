package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"apkern/internal/client"
	"apkern/internal/cpulist"
)

// sysfs is where the state is read from; tests have another.
var sysfs = client.SysfsAt(client.SysfsDir)

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "show the application CPUs and what runs there",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			st, err := sysfs.Status()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(os.Stdout, st)
			}
			return writeStatus(os.Stdout, st)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON, with all counters")
	return c
}

func writeStatus(w io.Writer, st client.Status) error {
	fmt.Fprintf(w, "home CPUs %s, adopted threads %d, slots in use %d\n",
		cpulist.Format(st.Home), st.Threads, st.Slots)
	fmt.Fprintf(w, "memory: %d KiB shared, %d KiB of CPUs, %d KiB of threads\n\n",
		kib(st.Memory.Shared), kib(st.Memory.CPUs), kib(st.Memory.Threads))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "CPU\tAPIC id\tstate\tthread\twaiting\trun\tsyscall\tfault\tbell\t  command")
	for _, c := range st.CPUs {
		thread := "-"
		if c.Thread != 0 {
			thread = fmt.Sprint(c.Thread)
		}
		fmt.Fprintf(t, "%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t  %s\n", c.Number, c.APICID, c.State, thread,
			c.Waiting, c.Counters["run"], c.Counters["syscall"], c.Counters["fault"], c.Counters["bell"], c.Command)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range st.CPUs {
		if c.Fatal != "" {
			fmt.Fprintf(w, "CPU %d failed: %s\n", c.Number, c.Fatal)
		}
	}
	return nil
}

// kib is a number of bytes in KiB, rounded up.
func kib(bytes int) int { return (bytes + 1023) / 1024 }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
