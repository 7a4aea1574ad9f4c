package guest

import (
	"bufio"
	"debug/elf"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"apkern/abi"
)

// kernelMemory reads the kernel's memory (/proc/kcore).
type kernelMemory struct {
	t     *testing.T
	file  *os.File
	areas []elf.ProgHeader
}

func openKernelMemory(t *testing.T) *kernelMemory {
	t.Helper()
	f, err := os.Open("/proc/kcore")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	e, err := elf.NewFile(f)
	if err != nil {
		t.Fatalf("/proc/kcore: %v", err)
	}
	m := &kernelMemory{t: t, file: f}
	for _, p := range e.Progs {
		if p.Type == elf.PT_LOAD {
			m.areas = append(m.areas, p.ProgHeader)
		}
	}
	return m
}

// at returns n bytes at a virtual address; nil: there is nothing.
func (m *kernelMemory) at(address uint64, n int) []byte {
	for _, a := range m.areas {
		if address-a.Vaddr < a.Memsz {
			b := make([]byte, n)
			if _, err := m.file.ReadAt(b, int64(a.Off+address-a.Vaddr)); err != nil {
				return nil
			}
			return b
		}
	}
	return nil
}

// physical returns n bytes at a physical address of RAM.
func (m *kernelMemory) physical(address uint64, n int) []byte {
	m.t.Helper()
	for _, a := range m.areas {
		if a.Paddr != ^uint64(0) && address-a.Paddr < a.Memsz {
			if b := m.at(a.Vaddr+address-a.Paddr, n); b != nil {
				return b
			}
		}
	}
	m.t.Fatalf("nothing can be read at the physical address %#x", address)
	return nil
}

// as returns what the kernel has at a virtual address, nil if it has nothing there.
func as[T any](m *kernelMemory, address uint64) *T {
	b := m.at(address, int(unsafe.Sizeof(*new(T))))
	if b == nil {
		return nil
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(b)))
}

// variable returns what a variable of the module holds: a pointer.
func (m *kernelMemory) variable(name string) uint64 {
	m.t.Helper()
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) != 4 || w[2] != name || w[3] != "["+moduleName+"]" {
			continue
		}
		address, err := strconv.ParseUint(w[0], 16, 64)
		if err != nil {
			m.t.Fatal(err)
		}
		if p := as[uint64](m, address); p != nil {
			return *p
		}
	}
	m.t.Fatalf("the module has no readable variable %s", name)
	return 0
}

// global returns the region that the module and all application CPUs share.
func (m *kernelMemory) global() *abi.Global {
	m.t.Helper()
	g := as[abi.Global](m, m.variable("apk_global"))
	if g == nil || g.Version != abi.HandoverVersion {
		m.t.Fatal("apk_global cannot be read")
	}
	return g
}

// configurations returns the struct apk_cpu of each application CPU. Where the module
// keeps pointers to them is its own matter: they are known by what they point to.
func (m *kernelMemory) configurations() map[int]*abi.CPU {
	m.t.Helper()
	ours, found := cpuList(m.t, "cpus"), map[int]*abi.CPU{}
	list := m.variable("apk_cpus")
	for at := list; at < list+4096 && len(found) < len(ours); at += 8 {
		p := as[uint64](m, at)
		if p == nil || *p == 0 || *p%abi.PageSize != 0 {
			continue
		}
		c := as[abi.CPU](m, *p)
		if c == nil || c.UserTop == 0 || c.UserTop%abi.PageSize != 0 || c.IdleTop%abi.PageSize != 0 || c.Alive != 1 {
			continue
		}
		for i, cpu := range ours {
			if int(c.LinuxCPU) == cpu && int(c.Index) == i {
				found[cpu] = c
			}
		}
	}
	if len(found) != len(ours) {
		m.t.Fatalf("%d of %d CPUs were found", len(found), len(ours))
	}
	return found
}
