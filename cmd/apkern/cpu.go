package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"apkern/internal/client"
	"apkern/internal/cpulist"
)

func cpuCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cpu",
		Short: "take and give back application CPUs while programs run",
		Long: `Changes which CPUs are application CPUs while programs run. They notice nothing
but that they have more processors, or fewer. Only root may do this.`,
	}
	c.AddCommand(
		changeCommand(client.Add, "take CPUs", `Makes the CPUs of CPULIST application CPUs. One that Linux runs is taken from it,
as if it were taken offline; threads may go there at once.`),
		changeCommand(client.Remove, "give CPUs back", `Gives the CPUs of CPULIST back to Linux, which runs those again that it ran
before. Threads that are there come home and go to other application CPUs; when
none is left, programs run at home. A thread that is bound to CPUs of which none
is left is bound no more, as when Linux takes a CPU offline.`),
		changeCommand(client.Reset, "start failed CPUs again", `Starts the CPUs of CPULIST afresh, which have failed: apkern status says why.`),
	)
	return c
}

func changeCommand(what client.Change, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:   string(what) + " CPULIST",
		Short: short,
		Long: long + `

CPULIST is a list of Linux's CPU numbers, as 2-3,6. Nothing changes when one of
them is refused.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("give one list of CPUs, as 2-3,6")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cpus, err := cpulist.Parse(args[0])
			if err != nil {
				return err
			}
			return sysfs.Change(what, cpus)
		},
	}
}
