package vm

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a program that is part of a machine. It dies with this one.
type process struct {
	child  *os.Process
	stderr bytes.Buffer  // valid when ended
	exit   error         // how it ended, likewise
	ended  chan struct{} // closed when the process has been waited for
}

// start starts the program with files as its descriptors from firstExtraFile on.
// Prepare, if set, is called first, on a thread from which nothing but the
// process is started: it may change what belongs to a thread and is inherited.
func (p *process) start(program string, args []string, files []*os.File, prepare func() error) error {
	p.ended = make(chan struct{})
	cmd := exec.Command(program, args...)
	cmd.ExtraFiles = files
	cmd.Stderr = &p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // the terminal's signals are for us to pass on
		Pdeathsig: syscall.SIGKILL,
	}
	started := make(chan error)
	go p.live(cmd, prepare, started)
	return <-started
}

// firstExtraFile is what the descriptors of a process beyond stderr start with.
const firstExtraFile = 3

// live starts the process and stays with it. The kernel sends the death signal
// when the thread that started the child ends, so this one must last as long.
func (p *process) live(cmd *exec.Cmd, prepare func() error, started chan<- error) {
	runtime.LockOSThread()
	if prepare == nil {
		defer runtime.UnlockOSThread() // else the thread ends, and with it what was changed
	} else if err := prepare(); err != nil {
		started <- err
		return
	}
	err := cmd.Start()
	p.child = cmd.Process
	started <- err
	if err != nil {
		return
	}
	p.exit = cmd.Wait()
	close(p.ended)
}

// kill ends the process, if it has not ended, and returns when it is gone.
func (p *process) kill() {
	_ = p.child.Kill() // fails when it has ended
	<-p.ended
}
