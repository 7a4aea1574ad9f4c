package guest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"apkern/internal/vm/wire"
)

// openTerminal makes a pseudoterminal of that size; pty(7).
func openTerminal(size wire.Size) (*streams, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	var number int
	err = control(master, func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unlocking a terminal: %w", err)
	}
	if err := resize(master, size); err != nil {
		return nil, err
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return &streams{
		child:    [3]*os.File{slave, slave, slave},
		stdin:    master,
		stdout:   master,
		terminal: master,
	}, nil
}

// resize sets the terminal's size; its foreground processes get SIGWINCH.
func resize(master *os.File, size wire.Size) error {
	return control(master, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	})
}

// control calls do with f's descriptor. Unlike f.Fd it leaves f non-blocking.
func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = do(int(fd)) }); err != nil {
		return err
	}
	return result
}
