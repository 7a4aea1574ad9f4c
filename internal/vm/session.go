package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"apkern/internal/vm/guest"
	"apkern/internal/vm/wire"
)

// session is the host's side of one job.
type session struct {
	config  *Config
	machine Machine
	job     *wire.Job

	control *wire.Conn[wire.ToGuest, wire.ToHost]
	running bool
	boots   int // how often the guest has said hello
}

// heard is what the control channel brought.
type heard struct {
	message wire.ToHost
	err     error
}

// lostError says that the machine ended, or told that it cannot go on.
type lostError struct{ said string }

func (l lostError) Error() string { return l.said }

// errNotUp says that the guest has not said hello in Config.BootTime.
var errNotUp = lostError{"Linux has not come up"}

// run returns the command's exit status. All that is sent is sent from here;
// receiving, and each stream, has a goroutine of its own that ends at the
// latest when the machine does.
func (s *session) run(ctx context.Context) (int, error) {
	ch := s.machine.Channels()
	s.control = wire.NewConn[wire.ToGuest, wire.ToHost](ch.Control)
	messages := make(chan heard)
	stop := make(chan struct{})
	defer close(stop)
	go s.listen(messages, stop)
	outputs := make(chan error, 2)
	go func() { outputs <- copyOutput(s.config.Stdout, ch.Stdout) }()
	go func() { outputs <- copyOutput(s.config.Stderr, ch.Stderr) }()

	var late <-chan time.Time
	if s.config.BootTime > 0 {
		late = time.After(s.config.BootTime)
	}
	var exit *int
	for open := 2; exit == nil || open > 0; {
		select {
		case <-ctx.Done():
			return 0, s.ended(context.Cause(ctx))
		case <-late:
			if s.boots == 0 {
				return 0, errNotUp
			}
		case h := <-messages:
			if h.err != nil {
				return 0, lostError{s.machine.Wait()}
			}
			if err := s.handle(h.message, ch.Stdin); err != nil {
				return 0, err
			}
			if h.message.Exit != nil {
				exit = h.message.Exit
			}
		case err := <-outputs:
			if errors.As(err, new(*OutputError)) {
				return 0, err
			}
			// Any other error: the machine is gone, which the control channel tells.
			if err == nil {
				open--
			}
		case sig := <-s.config.Signals:
			if !s.running {
				return 0, ErrInterrupted
			}
			if err := s.control.Send(wire.ToGuest{Signal: int(sig)}); err != nil {
				return 0, lostError{s.machine.Wait()}
			}
		case size := <-s.config.Sizes:
			if !s.running {
				s.job.TTY = &size
			} else if err := s.control.Send(wire.ToGuest{Size: &size}); err != nil {
				return 0, lostError{s.machine.Wait()}
			}
		}
	}
	return *exit, nil
}

// listen passes on what the guest says, until stop is closed or it has gone.
func (s *session) listen(messages chan<- heard, stop <-chan struct{}) {
	for {
		m, err := s.control.Receive()
		select {
		case messages <- heard{m, err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// handle does what one message asks for.
func (s *session) handle(m wire.ToHost, stdin io.Writer) error {
	switch {
	case m.Hello:
		if s.boots++; s.boots > 1 && !s.config.Reboots {
			return lostError{"the guest booted again"}
		}
		if err := s.control.Send(wire.ToGuest{Job: s.jobOfBoot()}); err != nil {
			return lostError{s.machine.Wait()}
		}
	case m.Progress != "":
		s.config.progress(m.Progress)
	case m.Running:
		s.config.progress("")
		switch {
		case !s.running:
			s.running = true
			go copyInput(stdin, s.config.Stdin)
		case s.boots > 1: // the first run has the input
			go copyInput(stdin, nil)
		}
	case m.Fail != "":
		return lostError{m.Fail}
	}
	return nil
}

// jobOfBoot is the job, which can tell, where the guest may reboot, which boot it is.
func (s *session) jobOfBoot() *wire.Job {
	if !s.config.Reboots {
		return s.job
	}
	job := *s.job
	job.Env = append(slices.Clip(job.Env), fmt.Sprintf("%s=%d", BootVariable, s.boots))
	return &job
}

// ended is the error for a context that ended with cause. A time limit leaves
// the console, which may tell what took so long.
func (s *session) ended(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return lostError{cause.Error()}
	}
	return cause
}

// TimeLimit is the cause to end a Run's context with when it took too long.
type TimeLimit struct{ Limit fmt.Stringer }

func (t TimeLimit) Error() string { return "time limit of " + t.Limit.String() + " reached" }

// Is makes it a context.DeadlineExceeded.
func (TimeLimit) Is(target error) bool { return target == context.DeadlineExceeded }

func copyOutput(w io.Writer, channel io.Reader) error {
	_, err := io.Copy(outputWriter{w}, wire.NewReader(channel))
	return err
}

// outputWriter marks the errors of w, to tell them from those of the channel.
type outputWriter struct{ w io.Writer }

func (o outputWriter) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		err = &OutputError{err}
	}
	return n, err
}

// copyInput sends all of r and its end. It may outlive the session in a read
// that does not return. No input at all is an empty one.
func copyInput(channel io.Writer, r io.Reader) {
	w := wire.NewWriter(channel)
	if r != nil {
		// An input that fails ends, for the command; a machine that is
		// gone shows on the control channel.
		_, _ = io.Copy(w, r)
	}
	_ = w.Close()
}

// reason puts what is known about the machine's end into one line: what the
// guest or the hypervisor said, else the telling line of the console.
func (l lostError) reason(console string) string {
	if l.said != "" {
		return l.said
	}
	text, err := os.ReadFile(console)
	if err != nil {
		return "ended without a word"
	}
	var last []byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		for _, telling := range []string{guest.Complaint, "Kernel panic - not syncing"} {
			if at := bytes.Index(line, []byte(telling)); at >= 0 {
				return string(line[at:])
			}
		}
		if len(line) > 0 {
			last = line
		}
	}
	if last == nil {
		return "ended before it wrote to its console"
	}
	return "ended; its last words: " + string(last)
}
