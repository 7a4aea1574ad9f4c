#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

output workers node "$(dirname "$0")/work.js"
output interpreter node --jitless -e 'let n = 0; for (let i = 0; i < 1e5; i++) n = (n * 31 + i) % 1000003; console.log(n)'
output profiler sh -c 'node --prof "$1" && ls isolate*.log | wc -l' - "$(dirname "$0")/work.js"
