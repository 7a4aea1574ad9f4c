#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
. "$(dirname "$0")/lib.sh"

begin build
mpicc -O2 -D_GNU_SOURCE -o mpi "$(dirname "$0")/mpi.c"
came $?
run() { mpirun --allow-run-as-root --mca btl self,vader --mca oob_tcp_if_include lo "$@"; }
# Three ranks, bound to nothing.
output free run --oversubscribe --bind-to none -np 3 ./mpi
# A rank for each core, bound to it. Its memory cannot be: see docs/limits.md.
output bound run --map-by core --bind-to core -np "$(nproc)" ./mpi bound
