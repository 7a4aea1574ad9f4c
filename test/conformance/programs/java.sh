#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

cp "$(dirname "$0")/Work.java" .
begin javac
javac Work.java
came $?
for collector in Serial Parallel G1; do
	output $collector java -Xmx256m -XX:+Use${collector}GC Work
done
output interpreter java -Xmx256m -Xint Work
