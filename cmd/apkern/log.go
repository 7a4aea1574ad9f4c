package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"apkern/abi"
	"apkern/internal/client"
)

func logCommand() *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use:   "log",
		Short: "show the application kernel's log",
		Long: `Shows what the application kernel wrote into the logs of its CPUs, in the order
of time. The time is the time-stamp counter's, in seconds.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return showLog(os.Stdout, follow) },
	}
	c.Flags().BoolVarP(&follow, "watch", "w", false, "go on as more is written, until interrupted")
	return c
}

// cpuLog is one CPU's log.
type cpuLog struct {
	cpu int // Linux's number
	log *client.Log
}

// line is one record of some CPU.
type line struct {
	client.Record
	cpu int
}

// watchInterval is how often a log that is followed is looked at. Writers ring
// no bell for it.
const watchInterval = 200 * time.Millisecond

func showLog(w io.Writer, follow bool) error {
	v, err := openView()
	if err != nil {
		return err
	}
	defer v.close()
	logs := make([]cpuLog, 0, len(v.cpus))
	for _, c := range v.cpus {
		logs = append(logs, cpuLog{c.Number, v.memory.Log(c.Index)})
	}
	for {
		if err := writeLines(w, readLines(w, logs), v.info.TSCKHz); err != nil || !follow {
			return err
		}
		time.Sleep(watchInterval)
	}
}

// readLines returns what is new in all logs, by time, and reports on w what was
// overwritten before it could be read.
func readLines(w io.Writer, logs []cpuLog) []line {
	var lines []line
	for _, l := range logs {
		records, lost := l.log.Read()
		if lost > 0 {
			fmt.Fprintf(w, "(CPU %d: %d older records are overwritten)\n", l.cpu, lost)
		}
		for _, r := range records {
			lines = append(lines, line{r, l.cpu})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.TSC, b.TSC) })
	return lines
}

var levels = map[int]string{abi.LogInfo: "", abi.LogWarn: "warning: ", abi.LogFatal: "fatal: "}

func writeLines(w io.Writer, lines []line, tscKHz uint64) error {
	for _, l := range lines {
		us := l.TSC / max(tscKHz, 1) * 1000
		if tscKHz != 0 {
			us += l.TSC % tscKHz * 1000 / tscKHz
		}
		if _, err := fmt.Fprintf(w, "[%5d.%06d] CPU %d: %s%s\n", us/1e6, us%1e6, l.cpu, levels[l.Level], l.Text); err != nil {
			return err
		}
	}
	return nil
}
