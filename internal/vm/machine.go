package vm

import (
	"io"

	"apkern/internal/vm/wire"
)

// Spec describes a machine to a Hypervisor.
type Spec struct {
	Kernel    string       // bzImage, or ELF with a PVH entry
	Initramfs string       // file
	CmdLine   string       // the kernel's
	Sharing   wire.Sharing // how the guest gets the host's directories
	Root      string       // one that it gets with tag guest.RootTag, read-only
	Shares    []wire.Share // those that it gets read-write
	CPUs      int
	Threads   int    // of a core
	Memory    string // QEMU's syntax: 2G
	CPUModel  string // QEMU's name
	GDB       string // TCP address QEMU's gdb server listens on, as localhost:1234; "": none
	Reboots   bool   // a reset starts the machine afresh; otherwise it ends the machine
	Console   string // file for what the guest writes to its first serial port
}

// Hypervisor runs virtual machines. QEMU is the real one; package vmfake has
// one for tests.
type Hypervisor interface {
	// Start starts a machine. The error is one line.
	Start(Spec) (Machine, error)
}

// Machine is a running machine. Whoever started it calls Kill in the end.
type Machine interface {
	// Channels returns the host's ends of the channels of package wire.
	// They end with io.EOF when the machine does.
	Channels() Channels
	// Wait waits until the machine has ended by itself and returns what the
	// hypervisor complained about, "" for nothing. Called at most once.
	Wait() string
	// Kill ends the machine, if it has not ended, and returns when nothing
	// of it is left.
	Kill()
}

// Channels are the four channels of package wire, as the host sees them.
type Channels struct {
	Control io.ReadWriter
	Stdin   io.Writer
	Stdout  io.Reader
	Stderr  io.Reader
}
