package launch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// become builds testdata/become with Entry as its entry point.
func become(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "become")
	build := exec.Command("go", "build", "-ldflags=-E apkern/internal/launch.Entry", "-o", file, "./testdata/become")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// TestExecPassesState compares what a shell hands on to a program directly and
// through Exec.
func TestExecPassesState(t *testing.T) {
	file := become(t)
	const show = `grep -E '^(Sig|Shd)...:' /proc/self/status | grep -v SigCgt; ulimit -Sn; ulimit -Hn; pwd; env | sort; ls /proc/self/fd; umask`
	for _, setup := range []string{
		"",
		"trap '' TERM QUIT PIPE USR1 HUP INT TSTP CHLD URG PROF SEGV RTMIN",
		"ulimit -Sn 200; umask 077; cd /usr; export A='b c'",
		"exec 5</dev/null 9>/dev/null",
	} {
		var got [2]string
		for i, through := range []string{"", file + " "} {
			out, err := exec.Command("bash", "-c", setup+"\n exec "+through+"sh -c \"$0\"", show).CombinedOutput()
			if err != nil {
				t.Fatalf("%s%s: %v\n%s", through, setup, err, out)
			}
			got[i] = string(out)
		}
		if got[0] != got[1] {
			t.Errorf("after %q directly:\n%s\nthrough Exec:\n%s", setup, got[0], got[1])
		}
	}
}

func TestExecBlockedSignals(t *testing.T) {
	file := become(t)
	const block = `import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR2, 40})
os.execv(sys.argv[1], sys.argv[1:])`
	var got [2]string
	for i, command := range [][]string{{"/bin/grep"}, {file, "grep"}} {
		args := append([]string{"-c", block}, append(command, "SigBlk", "/proc/self/status")...)
		out, err := exec.Command("python3", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got[i] = string(out)
	}
	if got[0] != got[1] {
		t.Errorf("blocked directly %s, through Exec %s", got[0], got[1])
	}
}

func TestExecScriptWithoutInterpreter(t *testing.T) {
	file := become(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("echo \"$#: $1\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(file, script, "one", "two").CombinedOutput()
	if err != nil || string(out) != "2: one\n" {
		t.Errorf("%q, %v", out, err)
	}
}
