/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restartable sequences, in assembly: what stands around their instructions. Local
 * labels 1 to 4 belong to these; the sequence itself begins at 1, which is its author's.
 *
 *	asm goto volatile(SEQUENCE_BEGIN
 *		"1:	...\n"
 *		SEQUENCE_END(aborted)
 *		:: [rs] "r"(sequence_area()), [cs] SEQUENCE_FIELD, ... : "rax", ... : aborted);
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <stddef.h>
#include <sys/rseq.h>

#define SEQUENCE_SIGNATURE "0x53053053"	/* RSEQ_SIG, which the C library registers with */

/* The descriptor, and its address into the thread's area; changes rax. */
#define SEQUENCE_BEGIN							\
	"	.pushsection __rseq_cs, \"aw\"\n"			\
	"	.balign 32\n"						\
	"3:	.long 0, 0\n"						\
	"	.quad 1f, 2f - 1f, 4f\n"				\
	"	.popsection\n"						\
	"	lea 3b(%%rip), %%rax\n"				\
	"	mov %%rax, %c[cs](%[rs])\n"

/* Behind the last instruction, which commits; 4 is where a sequence goes that is aborted. */
#define SEQUENCE_END(label)						\
	"2:\n"								\
	"	.pushsection __rseq_failure, \"ax\"\n"		\
	"	.byte 0x0f, 0xb9, 0x3d\n"				\
	"	.long " SEQUENCE_SIGNATURE "\n"			\
	"4:	jmp %l[" #label "]\n"					\
	"	.popsection\n"

#define SEQUENCE_FIELD	"i"(offsetof(struct rseq, rseq_cs))

/* What the C library registered for the calling thread. */
static inline struct rseq *sequence_area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

#endif
