package guest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kind says which ways of adoption fit a command.
type kind int

const (
	dynamic  kind = iota // both
	runOnly              // apkern run only: the library does not reach it
	homeOnly             // apkern run only, and it stays at home
)

// differential is the table of what must look the same wherever it runs. Commands
// without a slash are looked up in PATH; "@name" is a guest test program.
var differential = []struct {
	name   string
	kind   kind
	argv   []string
	stdin  string
	status int // that it ends with natively, so that a broken table is noticed
}{
	{name: "ls", argv: []string{"ls", "-la", "/etc"}},
	{name: "ls of nothing", argv: []string{"ls", "/nowhere"}, status: 2},
	{name: "find", argv: []string{"find", "/etc", "-name", "*.conf", "-size", "+1"}},
	{name: "pipeline", argv: []string{"bash", "-c", "for i in 1 2 3; do echo $i | cat; done"}},
	{name: "long pipeline", argv: []string{"bash", "-c", "seq 1 20000 | sort -rn | awk '{s += $1; print s % 97}' | uniq -c | sort -k2n | tail -n 5"}},
	{name: "process substitution", argv: []string{"bash", "-c", "diff <(seq 1 5) <(seq 2 6); echo $?"}},
	{name: "here document", argv: []string{"bash", "-c", "cat <<< \"$(tr a-z A-Z <<< hello)\""}},
	{name: "subshells", argv: []string{"bash", "-c", "(exit 3); a=$?; (kill -TERM $BASHPID); echo $a $?"}},
	{name: "job control", argv: []string{"bash", "-c", `set -m
sleep 100 & sleep 100 &
jobs | sed 's/ *$//'
kill -STOP %1; until jobs %1 | grep -q Stopped; do sleep 0.01; done; jobs %1 | sed 's/ *$//'
kill %2; wait %2; echo wait $?
bg %1 >/dev/null; kill -KILL %1; { wait %1; echo wait $?; } 2>/dev/null
(sleep 0.05; exit 7) & fg %% >/dev/null; echo fg $?`}},
	{name: "traps", argv: []string{"sh", "-c", `trap 'echo usr1' USR1; trap 'echo bye' EXIT
kill -USR1 $$; i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; kill -USR1 $$; exit 4`}, status: 4},
	{name: "timeout", argv: []string{"timeout", "0.2", "sleep", "100"}, status: 124},
	{name: "timeout of a spinner", argv: []string{"timeout", "-s", "INT", "0.3", "bash", "-c", "while :; do :; done"}, status: 124},
	{name: "env", argv: []string{"env", "-u", "LD_PRELOAD", "-u", "WHERE", "A=b", "sh", "-c", "env | grep -v -e ^_= -e ^PWD= | sort"}},
	{name: "setsid", argv: []string{"setsid", "-w", "sh", "-c", "echo new session; exit 6"}, status: 6},
	{name: "nohup", argv: []string{"nohup", "sh", "-c", "kill -HUP $$; echo survived"}},
	{name: "nice", argv: []string{"nice", "-n", "5", "nice"}},
	{name: "sleep", argv: []string{"sleep", "0.1"}},
	{name: "stdin", argv: []string{"bash", "-c", "read a; read b; echo \"$b $a\"; wc -c"}, stdin: "one\ntwo\nthe rest\n"},
	{name: "broken pipe", argv: []string{"bash", "-o", "pipefail", "-c", "yes | head -n 3; echo ${PIPESTATUS[0]}"}},
	{name: "dd", argv: []string{"bash", "-c", "dd if=/dev/zero bs=64k count=50 status=none | sha256sum; dd if=/bin/bash of=copy bs=4k status=none; cmp copy /bin/bash && echo same"}},
	{name: "gzip", argv: []string{"bash", "-c", "gzip -nc /bin/bash > b.gz; gzip -dc b.gz | cmp - /bin/bash && echo same"}},
	{name: "tar", argv: []string{"bash", "-c", "mkdir t; cp /etc/passwd /etc/fstab t; tar --mtime=@0 -cf t.tar t; rm -r t; tar xf t.tar; cat t/passwd"}},
	{name: "sort of a file", argv: []string{"bash", "-c", "seq 50000 | sha256sum; seq 50000 | sort --parallel=4 -S 1M > s; sort -c s"}},
	{name: "awk", argv: []string{"awk", "BEGIN { for (i = 0; i < 100000; i++) s += sin(i); printf \"%.9f\\n\", s; exit 5 }"}, status: 5},
	{name: "sed", argv: []string{"sed", "-n", "s/:.*//p", "/etc/passwd"}},
	{name: "perl", argv: []string{"perl", "-e", perlScript}, status: 8},
	{name: "python", argv: []string{"/usr/bin/python3", "-c", pythonScript}},
	{name: "python traceback", argv: []string{"/usr/bin/python3", "-c", "raise ValueError('no')"}, status: 1},
	{name: "python multiprocessing", argv: []string{"/usr/bin/python3", "-c", pythonPool}},
	{name: "compiler", argv: []string{"bash", "-c", compile}},
	{name: "compiler error", argv: []string{"gcc", "-x", "c", "-o", "none", "-"}, stdin: "int main() { return x; }\n", status: 1},
	{name: "checksum", argv: []string{"sha256sum", "/usr/bin/gdb"}},
	{name: "forks", argv: []string{"@forks"}},
	{name: "calls", argv: []string{"@calls"}},
	{name: "static program", kind: runOnly, argv: []string{"@static", "7"}, status: 7},
	{name: "Go program", kind: runOnly, argv: []string{"@gospin"}},
	{name: "32-bit program", kind: homeOnly, argv: []string{"@elf32"}, status: 32},
	{name: "end by exit", argv: []string{"@fatal", "exit"}, status: 123},
	{name: "end by SIGSEGV", argv: []string{"@fatal", "segv"}, status: 139},
	{name: "end by a jump", argv: []string{"@fatal", "jump"}, status: 139},
	{name: "end by a privileged instruction", argv: []string{"@fatal", "privileged"}, status: 139},
	{name: "end by SIGFPE", argv: []string{"@fatal", "fpe"}, status: 136},
	{name: "end by SIGILL", argv: []string{"@fatal", "ill"}, status: 132},
	{name: "end by SIGTRAP", argv: []string{"@fatal", "trap"}, status: 133},
	{name: "end by SIGABRT", argv: []string{"@fatal", "abort"}, status: 134},
	{name: "end by SIGKILL", argv: []string{"@fatal", "kill"}, status: 137},
	{name: "end by SIGTERM", argv: []string{"@fatal", "term"}, status: 143},
	{name: "end by SIGALRM", argv: []string{"@fatal", "alarm"}, status: 142},
}

const perlScript = `
use POSIX;
$| = 1;
my $pid = fork; if (!$pid) { exit 3 } waitpid $pid, 0; print "child ", $? >> 8, "\n";
my $out = qx(echo hello | tr a-z A-Z); print "qx $out";
my $n = 0; $SIG{ALRM} = sub { $n++ }; alarm 1; 1 while !$n; print "alarm $n\n";
pipe R, W; if (!fork) { close R; print W "line $_\n" for 1 .. 1000; exit } close W;
my @l = <R>; print scalar(@l), " $l[-1]"; wait;
exit 8;
`

const pythonScript = `
import hashlib, os, signal, subprocess, sys, threading, time
results = [None] * 4
def work(i):
    h = hashlib.sha256()
    for k in range(3000):
        h.update(b'%d' % (k * i))
    results[i] = h.hexdigest()[:8]
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(results)
print(subprocess.run(['sh', '-c', 'echo sub $((6*7)); echo err >&2; exit 5'], capture_output=True))
print(subprocess.check_output('seq 1 100 | sort -n | tail -1', shell=True))
n = 0
def handler(s, f):
    global n
    n += 1
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
while n < 20: pass
signal.setitimer(signal.ITIMER_REAL, 0)
print('alarms')
e = threading.Event()
threading.Timer(0.05, e.set).start()
print(e.wait(60))
pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
try:
    subprocess.run(['sleep', '100'], timeout=0.2)
except subprocess.TimeoutExpired as x:
    print(type(x).__name__)
print('to stderr', file=sys.stderr)
`

const pythonPool = `
import multiprocessing as mp
def square(i): return i * i
if __name__ == '__main__':
    with mp.Pool(3) as pool: print(pool.map(square, range(100)))
    q = mp.Queue()
    p = mp.Process(target=q.put, args=('from a child',))
    p.start(); print(q.get()); p.join(); print(p.exitcode)
`

const compile = `cat > hello.c <<'C'
#include <stdio.h>
#include <math.h>
int main(int argc, char **argv) { printf("hello %s %.6f\n", argv[1], sqrt(argc)); return argc; }
C
gcc -O2 -Wall -o hello hello.c -lm && sha256sum hello; ./hello you; echo $?`

// workDirectory is where the commands run: the same path each time, emptied before.
const workDirectory = "/tmp/guest-work"

// observed is the outcome of a command and the files it left, by their checksums.
type observed struct {
	Outcome outcome
	Files   map[string]string
}

func observe(t *testing.T, w way, c command) observed {
	t.Helper()
	if err := os.RemoveAll(workDirectory); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(workDirectory, 0o755); err != nil {
		t.Fatal(err)
	}
	c.dir = workDirectory
	return observed{run(t, w, c), checksums(t, workDirectory)}
}

func checksums(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDifferential runs each command natively and in each way of adoption that
// fits it: output, errors, exit status and files must be equal. Counters prove
// that it was adopted, and all but 32-bit programs that they went away.
func TestDifferential(t *testing.T) {
	begin(t)
	for _, d := range differential {
		t.Run(d.name, func(t *testing.T) {
			c := command{argv: append([]string{}, d.argv...), stdin: d.stdin}
			if c.argv[0][0] == '@' {
				c.argv[0] = program(c.argv[0][1:])
			}
			want := observe(t, native, c)
			if want.Outcome.Status != d.status {
				t.Fatalf("natively it ends with status %d, not %d\n%s%s", want.Outcome.Status, d.status, want.Outcome.Stdout, want.Outcome.Stderr)
			}
			ways := []way{preload, viaRun}
			if d.kind != dynamic {
				ways = ways[1:]
			}
			for _, w := range ways {
				adopted, away := home(t, "adopted"), home(t, "away")
				got := observe(t, w, c)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s differs from native (-native +%s):\n%s", w.name, w.name, diff)
				}
				if home(t, "adopted") == adopted {
					t.Errorf("%s: nothing was adopted", w.name)
				}
				if d.kind != homeOnly && home(t, "away") == away {
					t.Errorf("%s: nothing went away", w.name)
				}
			}
		})
	}
}
