package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// signalError is why a machine was ended: a signal to this process.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "ended by " + e.signal.String() }

// passSignals returns a channel of the signals that are the guest command's,
// and calls cancel for those that end the machine.
func passSignals(cancel context.CancelCauseFunc) <-chan syscall.Signal {
	// A reader of our output that goes away must not end us without
	// cleaning up: writes then return EPIPE.
	signal.Ignore(syscall.SIGPIPE)
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	passed := make(chan syscall.Signal, 8)
	go func() {
		for s := range caught {
			if s == syscall.SIGINT {
				passed <- syscall.SIGINT
				continue
			}
			cancel(&signalError{s.(syscall.Signal)})
		}
	}()
	return passed
}

// progress returns a function that shows what is going on in one line on
// stderr, when that is a terminal. Called with "" it removes the line.
func progress() func(string) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func(string) {}
	}
	const erase = "\r\x1b[K"
	shown := false
	return func(what string) {
		switch {
		case what != "":
			fmt.Fprint(os.Stderr, erase+"apkern: "+what+"…")
		case shown:
			fmt.Fprint(os.Stderr, erase)
		}
		shown = what != ""
	}
}
