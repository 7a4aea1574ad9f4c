//go:build metal

package entry

//lint:file-ignore U1000 the assembly uses these names

import (
	"apkern/kernel/answer"
	"apkern/kernel/fatal"
	"apkern/kernel/idle"
	"apkern/kernel/setup"
	"apkern/kernel/trap"
)

// The assembly calls Go through these variables: what they hold is the register
// ABI's entry, while a direct CALL would go through a wrapper.
var (
	startFn = start
	idleFn  = idle.Loop
	firstFn = answer.First
	trapFn  = trap.Dispatch
	callFn  = trap.Forward
	fatalFn = fatal.Stop
)

// start is called once, on the trap stack.
func start() {
	setup.CPU(&setup.Entries{
		Stubs:        stubsPC(),
		Debug:        debugPC(),
		NMI:          nmiPC(),
		DoubleFault:  doubleFaultPC(),
		MachineCheck: machineCheckPC(),
		Syscall:      syscallPC(),
		Restore:      restorePC(),
	})
}

//go:noescape
func stubsPC() uint64

//go:noescape
func debugPC() uint64

//go:noescape
func nmiPC() uint64

//go:noescape
func doubleFaultPC() uint64

//go:noescape
func machineCheckPC() uint64

//go:noescape
func syscallPC() uint64

//go:noescape
func restorePC() uint64
