/* SPDX-License-Identifier: GPL-2.0 */
/* What witness.so writes in programs that spawn.c starts, in memory that all share. */
#ifndef WITNESS_H
#define WITNESS_H

#define WITNESS_FD	"WITNESS_FD"	/* variable: the descriptor of that memory */
#define WITNESS_IDS	4096

struct witness {
	long passes[WITNESS_IDS];	/* begins and ends of programs, by APIC id */
};

#endif
