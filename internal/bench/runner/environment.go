package runner

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"apkern/internal/bench"
	"apkern/internal/client"
)

// Environment implements Machine.
func (h *Here) Environment() (bench.Environment, error) {
	st, err := client.SysfsAt(h.module).Status()
	if err != nil {
		return bench.Environment{}, err
	}
	if len(st.CPUs) == 0 {
		return bench.Environment{}, fmt.Errorf("there is no application CPU")
	}
	if st.Threads > 0 {
		return bench.Environment{}, fmt.Errorf("%d threads are adopted already: end them, for the figures would be theirs too", st.Threads)
	}
	if err := unix.Access(policyFile, unix.W_OK); err != nil {
		return bench.Environment{}, fmt.Errorf("%s must be written: %w: be root", policyFile, err)
	}
	e := bench.Environment{Home: st.Home, CPU: model(), Parameters: parameters()}
	h.home = ^uint64(0)
	for _, c := range st.CPUs {
		e.Application = append(e.Application, c.Number)
		e.APICs = append(e.APICs, c.APICID)
		h.home &^= 1 << c.APICID // one above 63 changes nothing
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return e, err
	}
	e.Kernel, e.Version = unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Version[:])
	build, err := os.ReadFile(filepath.Join(h.module, "build_id"))
	if err != nil {
		return e, err
	}
	e.Build = strings.TrimSpace(string(build))
	out, err := exec.Command(filepath.Join(h.Programs, "machine")).Output()
	if err != nil {
		return e, fmt.Errorf("machine: %w", err)
	}
	e.Hypervisor = strings.TrimSpace(strings.TrimPrefix(string(out), "hypervisor"))
	return e, nil
}

// model is the processor's name.
func model() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// parameters are the module's, as far as they can be read.
func parameters() map[string]string {
	p := map[string]string{}
	entries, err := os.ReadDir(parametersDir)
	if err != nil {
		return p
	}
	for _, e := range entries {
		if text, err := os.ReadFile(filepath.Join(parametersDir, e.Name())); err == nil {
			p[e.Name()] = strings.TrimSpace(string(text))
		}
	}
	return p
}
