#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

# All messages arrive, or it does not end, or complains.
begin processes-sockets
hackbench -P -g 2 -f 5 -l 100
came $?
begin processes-pipes
hackbench -P -p -g 2 -f 5 -l 100
came $?
begin threads-sockets
hackbench -T -g 2 -f 5 -l 100
came $?
begin threads-pipes
hackbench -T -p -g 2 -f 5 -l 100
came $?
