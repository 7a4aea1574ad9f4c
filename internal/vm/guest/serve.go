package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"apkern/internal/launch"
	"apkern/internal/vm/wire"
)

// System is what Serve asks of the machine it runs on. Its methods are called
// one after the other: Prepare, Wait, Finish.
type System interface {
	// Prepare makes the machine ready for the job: file systems, the
	// module. It calls progress before what may take long. An error is one
	// line for the host's user.
	Prepare(job *wire.Job, progress func(string)) error
	// Wait returns the status of the command's process once it has ended.
	Wait(pid int) (syscall.WaitStatus, error)
	// Finish ends every process that the command left behind and brings
	// all written data to the host. An error: some process cannot be ended.
	Finish() error
}

// Serve does one job that the host gives on ch. The error is for the console:
// whatever the host can be told through ch has been told.
func Serve(ch Channels, sys System) error {
	control := wire.NewConn[wire.ToHost, wire.ToGuest](ch.Control)
	if err := control.Send(wire.ToHost{Hello: true}); err != nil {
		return fmt.Errorf("control channel: %w", err)
	}
	m, err := control.Receive()
	if err != nil || m.Job == nil {
		return fmt.Errorf("no job came from the host (%v)", err)
	}
	status, err := serve(ch, control, sys, m.Job)
	if err != nil {
		return control.Send(wire.ToHost{Fail: err.Error()})
	}
	return control.Send(wire.ToHost{Exit: &status})
}

// serve returns the command's exit status.
func serve(ch Channels, control *wire.Conn[wire.ToHost, wire.ToGuest], sys System, job *wire.Job) (int, error) {
	progress := func(what string) {
		// A host that is gone shows at the next message that matters.
		_ = control.Send(wire.ToHost{Progress: what})
	}
	if err := sys.Prepare(job, progress); err != nil {
		return 0, err
	}
	st, err := openStreams(job)
	if err != nil {
		return 0, err
	}
	pid, err := start(job, st)
	st.closeChild()
	if err != nil {
		return refuse(ch, job, err)
	}
	if err := control.Send(wire.ToHost{Running: true}); err != nil {
		return 0, err
	}
	go obey(control, pid, st)
	outputs := st.pump(ch)
	ws, err := sys.Wait(pid)
	if err != nil {
		return 0, fmt.Errorf("waiting for the command: %w", err)
	}
	// First the processes, then the streams: an output ends when nobody
	// has it open any more.
	if err := sys.Finish(); err != nil {
		return 0, err
	}
	return exitStatus(ws), outputs()
}

// obey carries out what the host says while the command runs.
func obey(control *wire.Conn[wire.ToHost, wire.ToGuest], pid int, st *streams) {
	for {
		m, err := control.Receive()
		switch {
		case err != nil:
			return
		case m.Signal != 0:
			// It may have ended: then there is nothing to signal.
			_ = syscall.Kill(-pid, syscall.Signal(m.Signal))
		case m.Size != nil && st.terminal != nil:
			_ = resize(st.terminal, *m.Size)
		}
	}
}

// start starts the command as the leader of a session of its own.
func start(job *wire.Job, st *streams) (int, error) {
	file, err := launch.Find(job.Args[0], pathOf(job.Env), job.Dir)
	if err != nil {
		return 0, err
	}
	pid, err := syscall.ForkExec(file, job.Args, &syscall.ProcAttr{
		Dir:   job.Dir,
		Env:   job.Env,
		Files: []uintptr{st.child[0].Fd(), st.child[1].Fd(), st.child[2].Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: job.TTY != nil, Ctty: 0},
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", job.Args[0], err)
	}
	return pid, nil
}

// refuse reports, as a shell would, a command that could not be started.
func refuse(ch Channels, job *wire.Job, cause error) (int, error) {
	stderr := wire.NewWriter(ch.Stderr)
	eol := "\n"
	if job.TTY != nil {
		eol = "\r\n"
	}
	if _, err := fmt.Fprintf(stderr, "apkern: %v%s", cause, eol); err != nil {
		return 0, err
	}
	return launch.Status(cause), errors.Join(wire.NewWriter(ch.Stdout).Close(), stderr.Close())
}

// pathOf is the PATH in env.
func pathOf(env []string) string {
	for _, e := range env {
		if len(e) > 5 && e[:5] == "PATH=" {
			return e[5:]
		}
	}
	return launch.DefaultPath
}

func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return launch.StatusSignal + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// streams are the command's standard streams: either three pipes or a terminal.
type streams struct {
	child    [3]*os.File // the command's ends; all the same on a terminal
	stdin    *os.File    // our ends
	stdout   *os.File
	stderr   *os.File // nil on a terminal
	terminal *os.File // its master side; nil without
}

func openStreams(job *wire.Job) (*streams, error) {
	if job.TTY != nil {
		return openTerminal(*job.TTY)
	}
	st := &streams{}
	var err [3]error
	st.child[0], st.stdin, err[0] = os.Pipe()
	st.stdout, st.child[1], err[1] = os.Pipe()
	st.stderr, st.child[2], err[2] = os.Pipe()
	return st, errors.Join(err[:]...)
}

// closeChild closes the command's ends once it has them.
func (st *streams) closeChild() {
	for i, f := range st.child {
		if i == 0 || f != st.child[0] {
			_ = f.Close()
		}
	}
}

// pump starts to move the streams. The function it returns waits until both
// outputs have ended and been sent.
func (st *streams) pump(ch Channels) func() error {
	go func() {
		in := wire.NewReader(ch.Stdin)
		_, _ = io.Copy(st.stdin, in)
		if st.terminal == nil {
			_ = st.stdin.Close()
		}
		// A command that has closed its stdin must not stop the host.
		_, _ = io.Copy(io.Discard, in)
	}()
	var wg sync.WaitGroup
	var err [2]error
	wg.Go(func() { err[0] = drain(ch.Stdout, st.stdout) })
	wg.Go(func() { err[1] = drain(ch.Stderr, st.stderr) })
	return func() error {
		wg.Wait()
		return errors.Join(err[:]...)
	}
}

// drain sends all of from and its end. A nil from is an empty stream.
func drain(channel io.Writer, from *os.File) error {
	w := wire.NewWriter(channel)
	if from != nil {
		// A terminal's master reads EIO once nobody has the other side open.
		if _, err := io.Copy(w, from); err != nil && !errors.Is(err, syscall.EIO) {
			return fmt.Errorf("sending output: %w", err)
		}
	}
	return w.Close()
}
