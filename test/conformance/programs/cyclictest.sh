#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

# cycles NAME ARG...: threads cycle until one has done all its cycles, whatever the latencies
cycles() {
	begin "$1"
	shift
	cyclictest -q -l 100 -i 20000 "$@" >out.txt
	status=$?
	cat out.txt
	grep -q 'C: *100 ' out.txt || status=99
	came $status "$(grep -c '^T:.* C: *[1-9]' out.txt) threads"
}
cycles other -t 3 --policy=other
cycles fifo -t 3 -p 50
cycles signals -t 3 -p 50 -s
