package abi

import "structs"

// Version and Device are APKERN_VERSION and APKERN_DEVICE.
const (
	Version  = 2
	Device   = "/dev/apkern"
	CPUMask  = 4 // 64-bit words of a mask of Linux CPU numbers
	PageSize = 4096
)

// Adopt is struct apkern_adopt.
type Adopt struct {
	_       structs.HostLayout
	Size    uint32
	Version uint32
	Flags   uint64
	CPUs    [CPUMask]uint64
}

// Info is struct apkern_info.
type Info struct {
	_         structs.HostLayout
	Size      uint32
	Version   uint32
	CPUs      uint32
	CPUsUp    uint32
	Threads   uint32
	SlotsUsed uint32
	TSCKHz    uint64
}

// Inject is struct apkern_inject.
type Inject struct {
	_       structs.HostLayout
	Size    uint32
	Version uint32
	CPU     uint32
	Command uint32
}

// Requests of /dev/apkern.
const (
	IocAdopt     = 0x40306b01
	IocAdoptExec = 0x40306b02
	IocInfo      = 0xc0206b03
	IocInject    = 0x40106b04
)

// Pages of the device's mapping.
const (
	MapHome     = 0
	MapCPU      = 1 // first page of application CPU 0
	MapCPUPages = 2 // one of Stat, one of Log
)
