// Command apkern runs programs on application CPUs and shows what happens
// there. In a virtual machine that `apkern vm` started it is also process 1.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"apkern/internal/launch"
	"apkern/internal/vm/guest"
)

func main() {
	if guest.IsInit() {
		guest.Main()
	}
	os.Exit(execute())
}

// exitError ends the command with a status; its error has been reported, or is
// nil and there is nothing to report.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// execute runs the command line and returns the exit status: that of the
// command it was to run, else 0, or 1 for an error. Subcommands that run
// another command report errors of their own as 125, to be told from that
// command's.
func execute() int {
	err := rootCommand().Execute()
	if err == nil {
		return 0
	}
	status := 1
	if exit := new(exitError); errors.As(err, &exit) {
		status, err = exit.status, exit.err
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "apkern: %v\n", err)
	}
	return status
}

// moreCommands make the commands that only some builds have.
var moreCommands []func() *cobra.Command

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "apkern",
		Short: "run programs on application CPUs",
		Long: `Runs programs on application CPUs, and shows what happens there: those CPUs that
Linux does not use, or has given up, and that the module apkern has taken.
apkern(4) has the module's parameters, the device and the service that takes
CPUs at boot. The startup library adopts a program without this command:
LD_PRELOAD=/lib/libstartup.so.1 CMD.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(runCommand(), cpuCommand(), statusCommand(), statCommand(), logCommand(), vmCommand(), benchCommand())
	for _, more := range moreCommands {
		root.AddCommand(more())
	}
	return root
}

// startsCommand makes every error of c, those of the command line included,
// end with launch.StatusFailed: the command's own status then tells them apart.
func startsCommand(c *cobra.Command) *cobra.Command {
	failed := func(err error) error {
		if err == nil || errors.As(err, new(*exitError)) {
			return err
		}
		return &exitError{launch.StatusFailed, err}
	}
	c.Flags().SetInterspersed(false)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return failed(err) })
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, a []string) error { return failed(args(c, a)) }
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, a []string) error { return failed(run(c, a)) }
	}
	return c
}

// atLeastCommand is the argument check of subcommands that run a command.
func atLeastCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command given: %s", c.UseLine())
	}
	return nil
}
