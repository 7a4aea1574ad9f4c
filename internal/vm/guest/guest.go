// Package guest is the other end of package vm: the program that runs as
// process 1 in the virtual machine. The apkern binary is that program itself
// when the kernel starts it as /init.
//
// Serve, which runs the command and moves its streams, knows nothing of the
// machine it is on; what only process 1 of a guest can do is behind System.
package guest

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// Where the host puts things into the initial RAM file system.
const (
	InitPath    = "/init"
	ModuleDir   = "/modules" // modules for the guest itself, in the order of loading
	InsertPath  = "/apkern.ko"
	LibraryPath = "/libstartup.so.1"
)

// Complaint begins the line that the guest writes to its console when it
// fails before it can tell the host by the control channel.
const Complaint = "apkern-init: "

// IsInit tells whether this process was started by a kernel as a guest's init.
// It may have arguments: words of the command line that the kernel did not know.
func IsInit() bool {
	return os.Getpid() == 1 && os.Args[0] == InitPath
}

// Main is the guest's life. It never returns: in the end the machine is off,
// or the host, which has what it wanted, has ended it before.
func Main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", Complaint, err)
	}
	PowerOff()
}

func run() error {
	if err := Boot(); err != nil {
		return err
	}
	ch, err := openChannels()
	if err != nil {
		return err
	}
	if err := Serve(ch, &machine{}); err != nil {
		return err
	}
	// The host ends the machine on Exit; this is for a host that does not.
	time.Sleep(10 * time.Second)
	return nil
}

// PowerOff ends the machine; whoever waits for it sees QEMU exit.
func PowerOff() {
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// Channels are the four channels of package wire, as the guest sees them.
type Channels struct {
	Control io.ReadWriter
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}
