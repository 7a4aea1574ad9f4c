#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

# cycles NAME ARG...: every thread does all its cycles, whatever the latencies
cycles() {
	begin "$1"
	shift
	cyclictest -q -l 100 -i 20000 "$@" >out.txt
	status=$?
	cat out.txt
	came $status "$(grep -c 'C: *100 ' out.txt) threads"
}
cycles other -t 3 --policy=other
cycles fifo -t 3 -p 50
cycles signals -t 3 -p 50 -s
