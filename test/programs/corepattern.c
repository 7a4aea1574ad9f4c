// SPDX-License-Identifier: GPL-2.0
/*
 * corepattern [threads]: threads fill all their registers with patterns and spin
 * away; the main thread does the same and faults. test/guest/core_test.go knows
 * the patterns and looks for them in the core dump:
 *
 *   general register k of thread n, as the kernel numbers them in a core: every
 *   byte 16*n + k; of R14 and R15 the address of the spinning loop, and n
 *   byte j of YMM register k: 16*n + k + j
 *   MXCSR 0xff80, x87 control word 0xc7f, carry and direction flag set
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdint.h>

#define MAX_THREADS	7

static int ready;

struct pattern {
	uint64_t general[16];
	uint8_t ymm[16][32];
	uint32_t mxcsr;
	uint16_t control;
	int *ready;
	int faults;
};

static void fill(struct pattern *p, unsigned long n)
{
	for (unsigned int k = 0; k < 16; k++) {
		p->general[k] = 0x0101010101010101 * (16 * n + k);
		for (unsigned int j = 0; j < 32; j++)
			p->ymm[k][j] = 16 * n + k + j;
	}
	p->mxcsr = 0xff80;
	p->control = 0xc7f;
	p->ready = &ready;
}

/* Never returns. */
static void *spin(void *arg)
{
	struct pattern p;
	unsigned long n = (unsigned long)arg;

	fill(&p, n);
	p.faults = !n;
	go_away();
	require_away(is_away(), 1);
	asm volatile(
		".irp k, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		"vmovdqu 128+32*\\k(%0), %%ymm\\k\n"
		".endr\n"
		"ldmxcsr 640(%0)\n"
		"fldcw 644(%0)\n"
		"mov %1, %%r15\n"
		"mov 12*8(%0), %%rdx\n"
		"mov 13*8(%0), %%rsi\n"
		"mov 14*8(%0), %%rdi\n"
		"mov 4*8(%0), %%rbp\n"
		"mov 5*8(%0), %%rbx\n"
		"mov 6*8(%0), %%r11\n"
		"mov 7*8(%0), %%r10\n"
		"mov 8*8(%0), %%r9\n"
		"mov 9*8(%0), %%r8\n"
		"mov 2*8(%0), %%r13\n"
		"mov 3*8(%0), %%r12\n"
		"lea 1f(%%rip), %%r14\n"
		"mov 656(%0), %%ecx\n"
		"push %%rcx\n"
		"mov 648(%0), %%rcx\n"
		"lock incl (%%rcx)\n"
		"mov 11*8(%0), %%rcx\n"
		"mov 10*8(%0), %%rax\n"
		"cmpl $0, (%%rsp)\n"
		"std\n"
		"stc\n"
		"1: jz 1b\n"	/* threads that do not fault spin here: STC leaves ZF alone */
		"mov $0, %%r14\n"
		"2: mov %%rax, (%%r14)\n"
		:: "a"(&p), "r"(n) : "memory");
	__builtin_unreachable();
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 1, 3);
	pthread_t thread;

	_Static_assert(__builtin_offsetof(struct pattern, ymm) == 128 &&
		       __builtin_offsetof(struct pattern, mxcsr) == 640 &&
		       __builtin_offsetof(struct pattern, control) == 644 &&
		       __builtin_offsetof(struct pattern, ready) == 648 &&
		       __builtin_offsetof(struct pattern, faults) == 656, "as the code above has it");
	if (!__builtin_cpu_supports("avx"))
		return 77;
	check(threads >= 1 && threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	for (long n = 1; n <= threads; n++)
		must0(pthread_create(&thread, NULL, spin, (void *)n));
	spin_until(load(&ready) == threads);
	spin(NULL);
	return 0;
}
