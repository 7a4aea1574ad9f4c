package main

import (
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"apkern/internal/client"
	"apkern/internal/cpulist"
	"apkern/internal/launch"
)

func runCommand() *cobra.Command {
	var list string
	c := &cobra.Command{
		Use:   "run [-c CPULIST] [--] CMD [ARG]...",
		Short: "run a command whose threads may visit application CPUs",
		Long: `Replaces itself by CMD, adopted: CMD, its threads and its children may run on
application CPUs. Everything else passes unchanged: files, environment, working
directory, signals and the exit status. That is 125 when apkern itself failed,
126 when CMD cannot be executed and 127 when there is none.`,
		Args: atLeastCommand,
		RunE: func(_ *cobra.Command, args []string) error {
			var cpus []int
			if list != "" {
				var err error
				if cpus, err = cpulist.Parse(list); err != nil {
					return err
				}
			}
			return run(args, cpus)
		},
	}
	c.Flags().StringVarP(&list, "cpus", "c", "", "use only these application CPUs, a `CPULIST` as 1-3 (default all)")
	return startsCommand(c)
}

// run does not return unless something failed.
func run(args []string, cpus []int) error {
	dev, err := client.Open()
	if err != nil {
		return err
	}
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = launch.DefaultPath
	}
	file, err := launch.Find(args[0], path, ".")
	if err != nil {
		return &exitError{launch.Status(err), err}
	}
	// The module adopts the thread that asked, when that thread executes.
	runtime.LockOSThread()
	if err := dev.AdoptExec(cpus); err != nil {
		return err
	}
	if err := launch.Exec(file, args, os.Environ()); err != nil {
		return &exitError{launch.Status(err), &os.PathError{Op: "execute", Path: file, Err: err}}
	}
	return nil
}
