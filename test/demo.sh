#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Shows programs on application CPUs, beside the same run natively. Each tells
# the CPU it is on as that CPU itself says (APIC id, by CPUID). On the host it
# starts itself in a virtual machine, with the two helpers that make demo built;
# its arguments are more flags for apkern vm run.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
demo=$top/build/demo

if [ "${1-}" != --guest ]; then
	# stay=0: every thread visits, whether or not that pays.
	exec "$top/bin/apkern" vm run --cpus 4 --module-params stay=0 --timeout 10m "$@" -- \
		"$top/test/demo.sh" --guest
fi

export ONEXIT=/tmp/demo.exits
work=$(mktemp -d)
cd "$work"

# places: which program ended on which CPU, in the order of ending
places() {
	tr '\n' ' ' <"$ONEXIT"
	: >"$ONEXIT"
}

# show TITLE CMD...: natively and adopted; the outputs must be the same
show() {
	title=$1
	shift
	: >"$ONEXIT"
	printf '\n%s\n' "$title"
	LD_PRELOAD=$demo/onexit.so "$@" >native.out 2>&1
	printf '  %-20s %s\n' natively: "$(places)"
	LD_PRELOAD=$demo/onexit.so apkern run -- "$@" >away.out 2>&1
	printf '  %-20s %s\n' 'apkern run:' "$(places)"
	if cmp -s native.out away.out; then
		printf '  %-20s %s\n' 'output:' "the same, $(wc -c <native.out) bytes"
	else
		printf '  %-20s %s\n' 'output:' 'DIFFERS'
		exit 1
	fi
}

echo "Linux $(uname -r): CPU $(cat /sys/kernel/apkern/home_cpus) is Linux's, CPUs $(cat /sys/kernel/apkern/cpus) are application CPUs."
echo 'Behind each program or thread: the APIC ids of the CPUs it was on, from CPUID.'

printf '\nthree threads that compute\n'
printf '  %-20s %s\n' natively: "$("$demo/whereami" 3)"
printf '  %-20s %s\n' 'apkern run:' "$(apkern run -- "$demo/whereami" 3)"
printf '  %-20s %s\n' 'startup library:' "$(LD_PRELOAD=/lib/libstartup.so.1 "$demo/whereami" 3)"
printf '  %-20s %s\n' 'apkern run -c 2:' "$(apkern run -c 2 -- "$demo/whereami" 3)"

# Debian's own: a python3 earlier on PATH may be a wrapper of many processes.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

cat >hello.c <<'C'
#include <stdio.h>
int main(void) { puts("hello"); return 0; }
C
cat >threads.py <<'PY'
import subprocess, threading
sums = [0] * 4
def add(i): sums[i] = sum(range(i * 50000))
ts = [threading.Thread(target=add, args=(i,)) for i in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
print(sums, subprocess.run(["echo", "child"], capture_output=True).stdout)
PY

show 'ls -l /usr' ls -l /usr
show 'python3: four threads and a child' "$python" threads.py
show 'gcc compiles hello.c' gcc -o hello hello.c
show 'a pipeline of bash' bash -c 'for i in 3 1 2; do echo $i; done | sort | tee sorted | wc -l; cat sorted'

printf '\napkern status\n'
apkern status | sed 's/^/  /'
