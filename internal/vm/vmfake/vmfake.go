// Package vmfake is a vm.Hypervisor without a virtual machine, for tests: the
// real guest's code does the job in this process, on the host.
package vmfake

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"apkern/internal/vm"
	"apkern/internal/vm/guest"
	"apkern/internal/vm/wire"
)

// Hypervisor starts fake machines.
type Hypervisor struct {
	// Guest is what a machine does until it ends; it returns what its
	// hypervisor complains about. Its channels end, and killed is closed,
	// when the machine is killed. Nil: Serve.
	Guest func(ch guest.Channels, killed <-chan struct{}) string
	// Started, if set, is told about every machine.
	Started func(vm.Spec)
}

// Start implements vm.Hypervisor.
func (h Hypervisor) Start(s vm.Spec) (vm.Machine, error) {
	if h.Started != nil {
		h.Started(s)
	}
	m := &machine{killed: make(chan struct{}), ended: make(chan struct{})}
	for i := range m.host {
		m.host[i], m.guest[i] = net.Pipe()
	}
	live := h.Guest
	if live == nil {
		live = Serve
	}
	go func() {
		defer close(m.ended)
		m.complaint = live(guest.Channels{
			Control: m.guest[0], Stdin: m.guest[1], Stdout: m.guest[2], Stderr: m.guest[3],
		}, m.killed)
		m.close()
	}()
	return m, nil
}

type machine struct {
	host, guest [len(wire.Channels)]net.Conn
	killed      chan struct{}
	kill        sync.Once
	ended       chan struct{}
	complaint   string // valid when ended
}

func (m *machine) close() {
	for i := range m.host {
		_ = m.host[i].Close()
		_ = m.guest[i].Close()
	}
}

// Channels implements vm.Machine.
func (m *machine) Channels() vm.Channels {
	return vm.Channels{Control: m.host[0], Stdin: m.host[1], Stdout: m.host[2], Stderr: m.host[3]}
}

// Wait implements vm.Machine.
func (m *machine) Wait() string {
	<-m.ended
	return m.complaint
}

// Kill implements vm.Machine.
func (m *machine) Kill() {
	m.kill.Do(func() {
		close(m.killed)
		m.close()
	})
	<-m.ended
}

// Serve is the usual guest: it runs the job's command on the host, then waits
// to be killed, as a real guest does.
func Serve(ch guest.Channels, killed <-chan struct{}) string {
	sys := &system{}
	go func() {
		<-killed
		sys.end()
	}()
	if err := guest.Serve(ch, sys); err != nil {
		return err.Error()
	}
	<-killed
	return ""
}

// system is the guest.System on the host.
type system struct {
	mu      sync.Mutex
	session int // process group of the command; 0: none
	killed  bool
}

// Prepare implements guest.System. It checks what a real guest would find in
// its machine, as far as a host has it.
func (*system) Prepare(job *wire.Job, progress func(string)) error {
	progress("preparing a fake machine")
	if st, err := os.Stat(job.Dir); err != nil || !st.IsDir() {
		return fmt.Errorf("no directory %s", job.Dir)
	}
	for _, s := range job.Shares {
		if !filepath.IsAbs(s.Path) {
			return fmt.Errorf("share %s is not absolute", s.Path)
		}
	}
	if job.Insert {
		return fmt.Errorf("insert apkern.ko %s: this is a fake machine", job.Params)
	}
	return nil
}

// Wait implements guest.System.
func (s *system) Wait(pid int) (syscall.WaitStatus, error) {
	s.mu.Lock()
	s.session = pid
	if s.killed {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
	s.mu.Unlock()
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if err != syscall.EINTR {
			return ws, err
		}
	}
}

// Finish implements guest.System.
func (s *system) Finish() error {
	s.end()
	return nil
}

// end kills what is left of the command's process group.
func (s *system) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed = true
	if s.session != 0 {
		_ = syscall.Kill(-s.session, syscall.SIGKILL)
	}
}
