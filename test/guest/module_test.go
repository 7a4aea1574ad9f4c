package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"apkern/internal/kernellog"
)

const moduleName = "apkern"

// modulePath returns the module to load: $APKERN_MODULE, or the one built beside
// this binary.
func modulePath() string {
	if p := os.Getenv("APKERN_MODULE"); p != "" {
		return p
	}
	return filepath.Join(build, "apkern.ko")
}

// loaded tells whether the module is there.
func loaded() bool {
	_, err := os.Stat(moduleDir)
	return err == nil
}

// knobs returns the parameters, as NAME=VALUE, that the whole suite is run with
// this time: those of $APKERN_KNOBS.
func knobs() []string { return strings.Fields(os.Getenv("APKERN_KNOBS")) }

// load inserts the module as insmod does and returns the kernel's error. Of a
// parameter that is given twice Linux takes the last value: the test's own.
func load(parameters string) error {
	f, err := os.Open(modulePath())
	if err != nil {
		return err
	}
	defer f.Close()
	all := strings.Join(append(knobs(), parameters), " ")
	return unix.FinitModule(int(f.Fd()), all, 0)
}

// knobsHold checks that the module has the suite's knobs: otherwise a run would
// show what the one without them has shown already.
func knobsHold(t *testing.T) {
	t.Helper()
	shown := map[string]string{"0": "N", "1": "Y"} // of those that are either
	for _, knob := range knobs() {
		name, want, _ := strings.Cut(knob, "=")
		got := readFile(t, filepath.Join(moduleDir, "parameters", name))
		if got != want && got != shown[want] {
			t.Errorf("the parameter %s is %s, not the suite's %s", name, got, want)
		}
	}
}

// mustLoad loads the module or ends the test.
func mustLoad(t *testing.T, parameters string) {
	t.Helper()
	log := openKernelLog(t)
	if err := load(parameters); err != nil {
		t.Fatalf("insmod %s %s: %v\n%s", modulePath(), parameters, err, strings.Join(log.lines(), "\n"))
	}
}

// unload removes the module as rmmod does: busy is EWOULDBLOCK.
func unload() error {
	return unix.DeleteModule(moduleName, unix.O_NONBLOCK)
}

// mustUnload unloads the module, if it is there, or ends the test. Threads that
// have just ended may hold it for a moment.
func mustUnload(t *testing.T) {
	t.Helper()
	if !loaded() {
		return
	}
	settle(t)
	if err := unload(); err != nil {
		t.Fatalf("rmmod: %v", err)
	}
}

// reload gives a test a freshly loaded module.
func reload(t *testing.T, parameters string) {
	t.Helper()
	mustUnload(t)
	mustLoad(t, parameters)
}

// kernelLog reads what the kernel says from a moment on.
type kernelLog struct {
	t  *testing.T
	fd int
}

// openKernelLog begins to listen.
func openKernelLog(t *testing.T) *kernelLog {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("/dev/kmsg: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		t.Fatalf("/dev/kmsg: %v", err)
	}
	return &kernelLog{t, fd}
}

// messagesLost stands for messages that were overwritten before they were read.
const messagesLost = "(messages lost)"

// lines returns the texts of all messages since the last call.
func (l *kernelLog) lines() []string {
	l.t.Helper()
	lines, err := readLog(l.fd)
	if err != nil {
		l.t.Fatalf("/dev/kmsg: %v", err)
	}
	return lines
}

// readLog reads /dev/kmsg to its end and returns the texts.
func readLog(fd int) ([]string, error) {
	var lines []string
	buf := make([]byte, 16384)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return lines, nil
		case errors.Is(err, unix.EPIPE): // go on with the next
			lines = append(lines, messagesLost)
			continue
		case err != nil:
			return lines, err
		}
		// "priority,sequence,time,flags;text\n" and continuation lines.
		_, text, _ := strings.Cut(string(buf[:n]), ";")
		text, _, _ = strings.Cut(text, "\n")
		lines = append(lines, text)
	}
}

// ours returns the texts of the module's messages since the last call.
func (l *kernelLog) ours() []string {
	l.t.Helper()
	var ours []string
	for _, line := range l.lines() {
		if strings.HasPrefix(line, moduleName+": ") {
			ours = append(ours, line)
		}
	}
	return ours
}

// complaints returns the reports since the last call by which Linux says that
// something is wrong with it.
func (l *kernelLog) complaints() []kernellog.Report {
	l.t.Helper()
	return kernellog.Find(l.lines())
}

// refused checks that the module does not load with the parameters: the error,
// a line in the kernel log that matches, and nothing changed.
func refused(t *testing.T, parameters string, want error, line string) {
	t.Helper()
	online := readFile(t, onlineFile)
	log := openKernelLog(t)
	err := load(parameters)
	said := log.ours()
	if err == nil {
		mustUnload(t)
		t.Fatalf("insmod %s: was accepted", parameters)
	}
	if !errors.Is(err, want) {
		t.Errorf("insmod %s: %v, not %v", parameters, err, want)
	}
	if !regexp.MustCompile(line).MatchString(strings.Join(said, "\n")) {
		t.Errorf("insmod %s: the kernel log does not match %q: %q", parameters, line, said)
	}
	if err := untouched(online); err != nil {
		t.Errorf("insmod %s: %v", parameters, err)
	}
}

// untouched checks that Linux has its CPUs and that nothing of the module is there.
func untouched(online string) error {
	for _, path := range []string{moduleDir, sysfs, "/dev/apkern"} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s exists", path)
		}
	}
	b, err := os.ReadFile(onlineFile)
	if err != nil {
		return err
	}
	if now := strings.TrimSpace(string(b)); now != online {
		return fmt.Errorf("CPUs online: %s, before: %s", now, online)
	}
	return nil
}
