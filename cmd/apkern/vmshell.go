package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"apkern/internal/vm/wire"
)

func vmShellCommand() *cobra.Command {
	var o vmOptions
	c := &cobra.Command{
		Use:   "shell [flags] [[--] CMD [ARG]...]",
		Short: "open a shell, or run a command on a terminal, in a virtual machine",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"/bin/bash"}
			}
			return vmShell(&o, args)
		},
	}
	o.flags(c)
	return startsCommand(c)
}

// vmShell connects this terminal with one in the guest. It is raw meanwhile:
// the guest's terminal interprets what is typed.
func vmShell(o *vmOptions, args []string) error {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("vm shell needs a terminal; without one use vm run")
	}
	config, err := o.config(args)
	if err != nil {
		return err
	}
	size, err := windowSize(fd)
	if err != nil {
		return err
	}
	config.TTY, config.Sizes = &size, windowSizes(fd)
	config.Stdin, config.Stdout, config.Stderr = os.Stdin, os.Stdout, os.Stderr
	cooked, err := term.MakeRaw(fd)
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(fd, cooked) }()
	return runVM(config, o.timeout)
}

func windowSize(fd int) (wire.Size, error) {
	cols, rows, err := term.GetSize(fd)
	return wire.Size{Rows: uint16(rows), Cols: uint16(cols)}, err
}

// windowSizes tells each new size of the terminal.
func windowSizes(fd int) <-chan wire.Size {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	sizes := make(chan wire.Size)
	go func() {
		for range changed {
			if size, err := windowSize(fd); err == nil {
				sizes <- size
			}
		}
	}()
	return sizes
}
