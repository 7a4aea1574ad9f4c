// Package abi mirrors what the module (C), the application kernel (Go and
// assembly) and the tools share. handover.h and apkern.h are the definition;
// abi_test.go compiles them and compares every size, offset and constant.
//
// The package holds types and constants only: it is part of the application
// kernel's image, where no initialiser runs.
package abi

import "structs"

//go:generate go run ./gen

// HandoverVersion is APK_HANDOVER_VERSION.
const HandoverVersion = 1

// Capacities.
const (
	MaxCPUs  = 256 // application CPUs
	MaxSlots = 1024
	CPUWords = MaxCPUs / 64
	TopUser  = 256 // entries of the user half of a top-level table

	FutexBuckets = 128
)

// Addresses in an application CPU's own top-level table; Win* are offsets
// from Window. They are negative so that each fits a sign-extended 32-bit
// displacement.
const (
	Window       = -0x80000000 // 0xffffffff80000000
	WinPrivate   = 0x01000
	WinStack     = 0x04000
	WinStackTop  = 0x06000
	WinISTDF     = 0x16000
	WinISTNMI    = 0x1a000
	WinISTMC     = 0x1e000
	WinISTDB     = 0x22000
	WinISTSize   = 0x1000
	WinSlot      = 0x30000
	WinSpace     = 0x35000
	WinPT        = 0x37000
	WinTop       = 0x39000
	WinCPU       = 0x3b000
	WinStat      = 0x3d000
	WinLog       = 0x40000
	WinGlobal    = 0x80000
	WinGlobalMax = 0x100000
	WinAPIC      = 0x1ff000

	Image    = -0x7f000000 // 0xffffffff81000000
	ImageMax = 0x400000
	Lines    = -0x7ea00000 // 0xffffffff81600000
	LinesMax = 0x200000
)

// Interrupt vectors on application CPUs.
const (
	VecWake     = 0xe0
	VecFlush    = 0xe1
	VecRecall   = 0xe2
	VecResched  = 0xe3
	VecTimer    = 0xe4
	VecSpurious = 0xff
)

// What home and the CPUs must reckon alike: docs/scheduling.md.
const (
	WeightNice0  = 1024
	CreditSlices = 2
	YieldPart    = 4
)

// StallMS is how long CmdStall takes, in milliseconds.
const StallMS = 4000

// The embedded image.
const (
	BlobMagic    = 0x314b504142
	BlobSegments = 8
	SegX         = 1
	SegW         = 2
	SegR         = 4
)

// Segment is struct apk_segment.
type Segment struct {
	_        structs.HostLayout
	VA       uint64
	Offset   uint64
	FileSize uint64
	MemSize  uint64
	Flags    uint64
}

// Blob is struct apk_blob.
type Blob struct {
	_        structs.HostLayout
	Magic    uint64
	Version  uint32
	Segments uint32
	Entry    uint64
	Size     uint64
	BuildID  [32]byte
	Segment  [BlobSegments]Segment
}

// LinesMagic begins the line table.
const LinesMagic = 0x454e494c

// LinesHeader is struct apk_lines.
type LinesHeader struct {
	_         structs.HostLayout
	Magic     uint32
	Entries   uint32
	Files     uint32
	NamesSize uint32
}

// Line is struct apk_line.
type Line struct {
	_    structs.HostLayout
	PC   uint32 // offset from Image
	File uint16
	Line uint16
}

// Regs is struct apk_regs.
type Regs struct {
	_                                    structs.HostLayout
	R15, R14, R13, R12, R11, R10, R9, R8 uint64
	RBP, RDI, RSI, RDX, RCX, RBX, RAX    uint64
	Vector, Err                          uint64
	RIP, CS, RFlags, RSP, SS             uint64
}

// Events: why a thread came home (enum apk_event).
const (
	EvNone = iota
	EvSyscall
	EvFault
	EvException
	EvRecall
	EvRSEQ
	EvPreempt
	EvPark
	EvFatal
	EvTurn
)

// Slot layout in its two pages.
const (
	SlotPages  = 2
	SlotFPU    = 0x1000
	SlotFPUMax = 0x1000
)

// Slot is struct apk_slot.
type Slot struct {
	_              structs.HostLayout
	Regs           Regs
	FSBase, GSBase uint64
	DS, ES, FS, GS uint32
	XMask          uint64
	CR2            uint64
	DR6            uint64
	SpacePhys      uint64
	SpaceID        uint64
	RSEQ           uint64
	RSEQCPU        uint32
	Event          uint32
	Cycles         uint64
	Owner          uint64
	SpecCtrl       uint64
	PID            uint32
	_              uint32
	Comm           [16]byte
	TGID, TID      uint32
}

// Space is struct apk_space.
type Space struct {
	_          structs.HostLayout
	Top        [TopUser]uint64
	ID         uint64
	Generation uint64
	Held       uint64
	Unknown    uint64
	Waiting    [FutexBuckets]uint32
}

// States of a head (enum apk_state).
const (
	Home = iota
	Ready
	Away
	Event

	StateMask     = 0xff
	StateCPUShift = 8
)

// Head is struct apk_head: a slot's public part.
type Head struct {
	_        structs.HostLayout
	State    uint32
	Recall   uint32
	Sleeping uint32
	Last     uint32
	Phys     uint64
	Since    uint64
	CPUs     [CPUWords]uint64
	VRuntime uint64
	Queued   uint64
	Weight   uint32
	Fresh    uint32
	Answers  uint32
	_        [9]uint32
}

// What a CPU is doing (enum apk_cpustate).
const (
	CPUDown = iota
	CPUPoll
	CPUHalt
	CPURun
	CPUParked
	CPUFailed
)

// Commands to a CPU (enum apk_command).
const (
	CmdNone = iota
	CmdPark
	CmdCrashBounds
	CmdCrashPointer
	CmdCrashStack
	CmdHang
	CmdStall
)

// CPUHead is struct apk_cpuhead.
type CPUHead struct {
	_        structs.HostLayout
	Command  uint32
	APICID   uint32
	FlushReq uint64
	Wake     uint32
	LinuxCPU uint32
	_        [10]uint32
	State    uint32
	Slot     uint32
	Space    uint64
	FlushAck uint64
	Ticking  uint32
	_        [9]uint32
}

// Global is struct apk_global.
type Global struct {
	_           structs.HostLayout
	Version     uint32
	CPUs        uint32
	BellAPICID  uint32
	BellVector  uint32
	Bell        [MaxSlots / 64]uint64
	TSCKHz      uint64
	PollCycles  uint64
	SliceCycles uint64
	Held        uint64
	Level       uint64
	Words       uint32
	WaitCycles  uint32
	Ready       [MaxSlots / 64]uint64
	Head        [MaxSlots]Head
	CPU         [MaxCPUs]CPUHead
}

// Features home wants mirrored.
const (
	FX2APIC    = 1 << 0
	FLA57      = 1 << 1
	FMWait     = 1 << 2
	FTSCAux    = 1 << 3
	FSpecCtrl  = 1 << 4
	FIBPB      = 1 << 5
	FVERW      = 1 << 6
	FTSCAdjust = 1 << 7
	FMCA       = 1 << 8
	FXFD       = 1 << 9
)

// Warp is struct apk_warp.
type Warp struct {
	_       structs.HostLayout
	Phase   uint32
	Lock    uint32
	Last    uint64
	Cycles  uint64
	CPUWarp uint64
	CPUSkew uint64
}

// Kinds of failure (enum apk_fatal_kind).
const (
	FatalNone = iota
	FatalTrap
	FatalPanic
	FatalStack
	FatalDouble
	FatalCheck
)

// Fatal is struct apk_fatal.
type Fatal struct {
	_                          structs.HostLayout
	Kind                       uint32
	Line                       uint32
	Vector, Err, RIP, RSP, CR2 uint64
	File                       [64]byte
	Text                       [64]byte
}

// CPU is struct apk_cpu: one CPU's configuration.
type CPU struct {
	_              structs.HostLayout
	Index          uint32
	LinuxCPU       uint32
	APICID         uint32
	Features       uint32
	IdleTop        uint64
	UserTop        uint64
	CR4            uint64
	EFER           uint64
	PAT            uint64
	XCR0           uint64
	XFD            uint64
	TSCAdjust      uint64
	SpecCtrl       uint64
	APICBase       uint64
	Warp           Warp
	Alive          uint32
	FoundAPICID    uint32
	FoundMicrocode uint32
	_              uint32
	Fatal          Fatal
}

// Stat is struct apk_stat.
type Stat struct {
	_     structs.HostLayout
	Count [CPUCounterCount]uint64
}

// HomeStat is struct apk_home_stat.
type HomeStat struct {
	_       structs.HostLayout
	Count   [HomeCounterCount]uint64
	Decline [DeclineCount]uint64
}

// The log.
const (
	LogRecords = 31
	LogText    = 104

	LogInfo  = 0
	LogWarn  = 1
	LogFatal = 2
)

// LogRecord is struct apk_log_record.
type LogRecord struct {
	_     structs.HostLayout
	Seq   uint64
	TSC   uint64
	Level uint32
	_     uint32
	Text  [LogText]byte
}

// Log is struct apk_log.
type Log struct {
	_      structs.HostLayout
	Next   uint64
	_      [15]uint64
	Record [LogRecords]LogRecord
}
