# shellcheck shell=sh
# Read by the scripts of this folder, which run in a scratch directory, the current
# one. A test's outcome is its value: the same on both sides, or there is a
# difference. Nothing that depends on time may be in it.

# begin NAME: the test begins
begin() { test=$1 && echo "## begin $test"; }

# came STATUS [VALUE...]: it ended, and what was checked
came() {
	status=$1
	shift
	if [ "$status" = 0 ]; then
		echo "## end $test pass $*"
	else
		echo "## end $test fail (status $status) $*"
	fi
}

# output NAME COMMAND...: a test whose value is the hash of what the command prints
output() {
	begin "$1"
	shift
	"$@" >out.txt
	status=$?
	tail -n 20 out.txt | cat -v | cut -c 1-200
	came $status "$(sha256sum <out.txt | cut -c 1-16)"
}

# await COMMAND...: waits until it succeeds, a minute at most
await() {
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	return 1
}
