package launch

import (
	"syscall"
	"unsafe"
)

// sigaction is the kernel's struct sigaction on amd64.
type sigaction struct {
	handler, flags, restorer, mask uint64
}

const (
	sigIgn     = 1
	sigSetmask = 2
	maskSize   = 8 // bytes of the kernel's sigset_t
)

// What Entry finds. Sets of signals have bit n-1 for signal n.
var (
	entered uint64 // 1: the program was linked with Entry
	ignored uint64 // signals the process was started with ignored
	blocked uint64 // signals the process was started with blocked
)

// Entry stands in front of the Go runtime's entry point; entry_amd64.s. It is
// for the linker's -E only.
func Entry()

// Exec replaces the process by the program in file, on the calling thread,
// which its caller has locked. Environment, limits and working directory pass
// unchanged, and so do ignored and blocked signals if the program was linked
// with Entry. Like execvp(3) it has the shell run a file that is executable but
// of no known format.
//
// It returns only on error, which is that of execve(2); the process is then
// good for nothing but to end.
func Exec(file string, args, env []string) error {
	if entered != 0 {
		restoreSignals()
	}
	err := syscall.Exec(file, args, env)
	if err == syscall.ENOEXEC {
		const shell = "/bin/sh"
		err = syscall.Exec(shell, append([]string{shell, file}, args[1:]...), env)
	}
	return err
}

// restoreSignals undoes what the runtime did to the signals of the process and
// the calling thread. Package os/signal would refuse signals that the runtime
// needs. The calls cannot fail but for signals that cannot be ignored, which
// were not.
func restoreSignals() {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask,
		uintptr(unsafe.Pointer(&blocked)), 0, maskSize, 0, 0)
	a := sigaction{handler: sigIgn}
	for sig := uintptr(1); sig <= 64; sig++ {
		if ignored&(1<<(sig-1)) != 0 {
			_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&a)), 0, maskSize, 0, 0)
		}
	}
}
