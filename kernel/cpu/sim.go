//go:build !metal

package cpu

import "unsafe"

// Op is one thing the application kernel did to the simulated processor.
type Op struct {
	Kind OpKind
	Addr uint64 // MSR number, or page
	Val  uint64
}

// OpKind says what an Op was.
type OpKind int

// The kinds of Op.
const (
	OpMSR OpKind = iota
	OpCR3
	OpInvalidate
	OpXSave
	OpHalt
	OpMonitor
	OpFillRSB
	OpPKRU
	OpTables
)

// Sim is the simulated processor. Tests set what reads return, look at Trace,
// and play the rest of the machine in the hooks.
type Sim struct {
	CR2, CR3, DR6 uint64
	GSBase        uint64
	Selectors     [4]uint32
	TSC, TSCStep  uint64 // each ReadTSC advances by TSCStep; 0: tests with several goroutines
	MSR           map[uint32]uint64
	Leaf          map[uint32][4]uint32 // what CPUID says: EAX, EBX, ECX, EDX
	Trace         []Op
	OnPause       func() // at each Pause
	OnHalt        func() // in each WaitInterrupt and WaitMonitor, interrupts on
	OnCR3         func() // after each load of CR3
}

// Machine is the simulated processor that the functions of this package act on.
var Machine = NewSim()

// NewSim returns a processor as after reset.
func NewSim() *Sim { return &Sim{MSR: map[uint32]uint64{}, TSCStep: 1} }

// Stopped is what Stop panics with: the simulated processor halted for good.
type Stopped struct{}

func (s *Sim) record(k OpKind, addr, val uint64) { s.Trace = append(s.Trace, Op{k, addr, val}) }

// Count returns how often the trace holds an operation of kind k.
func (s *Sim) Count(k OpKind) (n int) {
	for _, op := range s.Trace {
		if op.Kind == k {
			n++
		}
	}
	return n
}

// Writes returns the values written to an MSR, in order.
func (s *Sim) Writes(msr uint32) (vals []uint64) {
	for _, op := range s.Trace {
		if op.Kind == OpMSR && op.Addr == uint64(msr) {
			vals = append(vals, op.Val)
		}
	}
	return vals
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// ReadMSR returns what was written, or what the test put into MSR.
func ReadMSR(msr uint32) uint64 { return Machine.MSR[msr] }

// WriteMSR records the write.
func WriteMSR(msr uint32, v uint64) {
	Machine.MSR[msr] = v
	Machine.record(OpMSR, uint64(msr), v)
}

// ReadCR2 returns CR2.
func ReadCR2() uint64 { return Machine.CR2 }

// WriteCR3 records the load and calls OnCR3.
func WriteCR3(v uint64) {
	Machine.CR3 = v
	Machine.record(OpCR3, 0, v)
	call(Machine.OnCR3)
}

// ReadDR6 returns DR6.
func ReadDR6() uint64 { return Machine.DR6 }

// WriteDR6 sets DR6.
func WriteDR6(v uint64) { Machine.DR6 = v }

// ReadTSC advances the clock and returns it.
func ReadTSC() uint64 {
	if Machine.TSCStep == 0 {
		return Machine.TSC
	}
	Machine.TSC += Machine.TSCStep
	return Machine.TSC
}

// CPUID answers zeros where Machine.Leaf has nothing; subleaves are all alike.
func CPUID(leaf, sub uint32) (a, b, c, d uint32) {
	r := Machine.Leaf[leaf]
	return r[0], r[1], r[2], r[3]
}

// WriteXCR0 does nothing.
func WriteXCR0(v uint64) {}

// WritePKRU records the write.
func WritePKRU(v uint32) { Machine.record(OpPKRU, 0, uint64(v)) }

// ReadGSBase returns GSBase.
func ReadGSBase() uint64 { return Machine.GSBase }

// Selectors returns the data segment selectors.
func Selectors() (ds, es, fs, gs uint32) {
	s := Machine.Selectors
	return s[0], s[1], s[2], s[3]
}

// XSave stores XMM0-15 where the legacy area has them (SDM 1, section 10.5.1)
// and mask as XSTATE_BV.
func XSave(xmm *[16][2]uint64, area unsafe.Pointer, mask uint64) {
	*(*[16][2]uint64)(unsafe.Add(area, 160)) = *xmm
	*(*uint64)(unsafe.Add(area, 512)) = mask
	Machine.record(OpXSave, 0, mask)
}

// MMIORead32 is one 32-bit load.
func MMIORead32(p *uint32) uint32 { return *p }

// MMIOWrite32 is one 32-bit store.
func MMIOWrite32(p *uint32, v uint32) { *p = v }

// InvalidatePage records the address.
func InvalidatePage(p unsafe.Pointer) { Machine.record(OpInvalidate, uint64(uintptr(p)), 0) }

// LoadTables records the load.
func LoadTables(gdt, idt unsafe.Pointer) { Machine.record(OpTables, 0, 0) }

// InitFPU does nothing.
func InitFPU(mxcsr uint32) {}

// Pause calls OnPause.
func Pause() { call(Machine.OnPause) }

// Fence does nothing: the simulation is sequential.
func Fence() {}

// WaitInterrupt records a halt and calls OnHalt.
func WaitInterrupt() {
	Machine.record(OpHalt, 0, 0)
	call(Machine.OnHalt)
}

// Monitor records the address.
func Monitor(p unsafe.Pointer) { Machine.record(OpMonitor, uint64(uintptr(p)), 0) }

// WaitMonitor records a halt and calls OnHalt.
func WaitMonitor() { WaitInterrupt() }

// FillRSB records the fill.
func FillRSB() { Machine.record(OpFillRSB, 0, 0) }

// Stop panics with Stopped.
func Stop() { panic(Stopped{}) }
