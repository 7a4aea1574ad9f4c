package vm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"apkern/internal/vm/guest"
	"apkern/internal/vm/wire"
)

func TestSharing(t *testing.T) {
	const (
		nineP    = "kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko\nkernel/net/9p/9pnet.ko:\nkernel/fs/9p/9p.ko:\n"
		virtioFS = "kernel/fs/fuse/virtiofs.ko.xz: kernel/fs/fuse/fuse.ko.xz\n"
	)
	builtin := func(dep string) string { return regexp.MustCompile(`(?m):.*$`).ReplaceAllString(dep, "") }
	for name, tc := range map[string]struct {
		dep, builtin string
		want         wire.Sharing
	}{
		"both":              {dep: nineP + virtioFS, want: wire.NineP},
		"9p built in":       {dep: virtioFS, builtin: builtin(nineP), want: wire.NineP},
		"virtiofs":          {dep: virtioFS, want: wire.VirtioFS},
		"virtiofs built in": {builtin: builtin(virtioFS), want: wire.VirtioFS},
		"9p but no virtio":  {dep: virtioFS + "kernel/fs/9p/9p.ko:\n", want: wire.VirtioFS},
		"nothing":           {want: wire.NineP},
	} {
		dir := t.TempDir()
		put(t, dir+"/modules.dep", []byte(tc.dep))
		if tc.builtin != "" {
			put(t, dir+"/modules.builtin", []byte(tc.builtin))
		}
		if got, err := (Kernel{Modules: dir}).sharing(); got != tc.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tc.want)
		}
	}
	if got, err := (Kernel{}).sharing(); got != wire.NineP || err != nil {
		t.Errorf("a kernel without modules: %q, %v", got, err)
	}
}

func TestQEMUArgsVirtioFS(t *testing.T) {
	spec := Spec{
		Sharing: wire.VirtioFS, Root: "/", Memory: "2048",
		Shares: []wire.Share{{Tag: "share0", Path: "/a"}, {Tag: "share1", Path: "/b"}},
	}
	args := " " + strings.Join(qemuArgs(accelTCG, spec), " ") + " "
	// Descriptors 3 to 6 are those of the channels.
	for _, want := range []string{
		"share=on,size=2048M ", " -machine memory-backend=memory ",
		" socket,id=root,fd=7 ", " vhost-user-fs-pci,chardev=root,tag=" + guest.RootTag + " ",
		" socket,id=share1,fd=9 ", " vhost-user-fs-pci,chardev=share1,tag=share1 ",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("no %q in %s", want, args)
		}
	}
	if strings.Contains(args, "9p") {
		t.Error("9p too: ", args)
	}
}

func TestFUSEOption(t *testing.T) {
	if got := fuseOption(`/a,b\c`); got != `/a\,b\\c` {
		t.Error(got)
	}
}

func TestCheckFileServer(t *testing.T) {
	if err := checkFileServer("/bin/sh", 0); err != nil {
		t.Error(err)
	}
	if err := checkFileServer("/bin/sh", 1000); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Error(err)
	}
	if err := checkFileServer("/no/virtiofsd", 0); err == nil || !strings.Contains(err.Error(), "apt-get install") {
		t.Error(err)
	}
}

// needsMounts skips the test where a server cannot get a view of its own.
func needsMounts(t *testing.T) {
	t.Helper()
	denied := make(chan error)
	go (&process{}).live(nil, func() error {
		err := protectHost()
		if err == nil {
			err = os.ErrExist // so that live does not go on
		}
		return err
	}, denied)
	if err := <-denied; err != os.ErrExist {
		t.Skip("needs root that may mount: ", err)
	}
}

// script writes a program that stands for virtiofsd.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "virtiofsd")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFileServers(t *testing.T) {
	needsMounts(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	// It writes to the host, and says so by its status.
	program := script(t, "touch "+dir+"/$$ || exit 3")
	servers, err := startFileServers(program, Spec{Root: "/", Shares: []wire.Share{{Path: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	defer endFileServers(servers)
	for i, want := range []string{"Read-only file system", ""} {
		<-servers[i].ended
		if got := servers[i].failure(); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", servers[i].path, got, want)
		}
	}
	if files, err := os.ReadDir(dir); len(files) != 1 || err != nil {
		t.Errorf("in the shared directory: %v, %v", files, err)
	}
	if files, err := os.ReadDir(os.TempDir()); len(files) != 0 || err != nil {
		t.Errorf("left: %v, %v", files, err)
	}
	// What the one thread changed must not have become true for this program.
	if err := os.WriteFile(dir+"/mine", nil, 0o644); err != nil {
		t.Error(err)
	}
}

func TestFileServerNotStarted(t *testing.T) {
	needsMounts(t)
	// A directory that is too long for the address of a socket.
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	_, err := startFileServers(script(t, "exec sleep 1000"), Spec{Root: "/"})
	if err == nil || !strings.Contains(err.Error(), "share / by virtiofs: ") {
		t.Error(err)
	}
	if files, err := os.ReadDir(long); len(files) != 0 || err != nil {
		t.Errorf("left: %v, %v", files, err)
	}
}

// machineWith is a machine that runs for ever, with one such server.
func machineWith(t *testing.T, server string) *qemu {
	t.Helper()
	needsMounts(t)
	servers, err := startFileServers(script(t, server), Spec{Root: "/"})
	if err != nil {
		t.Fatal(err)
	}
	m := &qemu{servers: servers}
	if err := m.run("sleep", []string{"1000"}, nil); err != nil {
		t.Fatal(err)
	}
	return m
}

// A guest whose files are gone would hang.
func TestMachineEndsWithFileServer(t *testing.T) {
	m := machineWith(t, "echo one >&2; echo the reason >&2; exit 1")
	defer m.Kill()
	if got, want := m.Wait(), "sharing /: virtiofsd: the reason"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFileServerEndsWithMachine(t *testing.T) {
	m := machineWith(t, "exec sleep 1000")
	m.Kill()
	select {
	case <-m.servers[0].ended:
	default:
		t.Error("the server runs")
	}
}

func TestMachineNotStarted(t *testing.T) {
	needsMounts(t)
	servers, err := startFileServers(script(t, "exec sleep 1000"), Spec{Root: "/"})
	if err != nil {
		t.Fatal(err)
	}
	m := &qemu{servers: servers}
	if err := m.run("/no/qemu", nil, nil); err == nil {
		t.Fatal("it started")
	}
	select {
	case <-servers[0].ended:
	default:
		t.Error("the server runs")
	}
}
