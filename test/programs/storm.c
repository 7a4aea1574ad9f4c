// SPDX-License-Identifier: GPL-2.0
/*
 * storm [signals]: all general registers and the sixteen YMM registers survive a
 * storm of signals whose handlers destroy them, in a loop that does nothing else.
 * Exit status 77: the processor has no AVX2.
 */
#include "where.h"
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NO_AVX2	77

static long *handled;	/* shared with the sender */

static void handler(int sig)
{
	(void)sig;
	asm volatile(".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		     "	vpxor %%ymm\\i, %%ymm\\i, %%ymm\\i\n"
		     ".endr\n"
		     ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		     "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	__atomic_add_fetch(handled, 1, __ATOMIC_RELAXED);
}

uint64_t storm_ymm[16][4];	/* loaded before the loop, compared after it */

/* storm_round(loops): how many registers changed while it counted down. */
unsigned long storm_round(unsigned long loops);
asm(
"storm_round:\n"
"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
"	sub $256, %rsp\n"
"	lea storm_ymm(%rip), %rax\n"
"	.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	vmovdqu 32*\\i(%rax), %ymm\\i\n"
"	.endr\n"
"	mov %rdi, %rcx\n"
"	mov $0x1111, %eax\n	mov $0x2222, %ebx\n	mov $0x3333, %edx\n"
"	mov $0x4444, %esi\n	mov $0x5555, %edi\n	mov $0x6666, %ebp\n"
"	mov $0x8888, %r8d\n	mov $0x9999, %r9d\n	mov $0xaaaa, %r10d\n"
"	mov $0xbbbb, %r11d\n	mov $0xcccc, %r12d\n	mov $0xdddd, %r13d\n"
"	mov $0xeeee, %r14d\n	mov $0xffff, %r15d\n"
"1:	dec %rcx\n"
"	jnz 1b\n"
".macro SAME value, reg\n"
"	cmp $\\value, \\reg\n	je 2f\n	inc %rcx\n2:\n"
".endm\n"
"	SAME 0x1111, %rax\n	SAME 0x2222, %rbx\n	SAME 0x3333, %rdx\n"
"	SAME 0x4444, %rsi\n	SAME 0x5555, %rdi\n	SAME 0x6666, %rbp\n"
"	SAME 0x8888, %r8\n	SAME 0x9999, %r9\n	SAME 0xaaaa, %r10\n"
"	SAME 0xbbbb, %r11\n	SAME 0xcccc, %r12\n	SAME 0xdddd, %r13\n"
"	SAME 0xeeee, %r14\n	SAME 0xffff, %r15\n"
"	lea storm_ymm(%rip), %rax\n"
"	.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	vpcmpeqq 32*\\i(%rax), %ymm\\i, %ymm\\i\n"
"	vpmovmskb %ymm\\i, %edx\n"
"	cmp $-1, %edx\n	je 2f\n	inc %rcx\n2:\n"
"	.endr\n"
"	mov %rcx, %rax\n"
"	vzeroupper\n"
"	add $256, %rsp\n"
"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
"	ret\n");

int main(int argc, char **argv)
{
	long signals = argument(argc, argv, 1, 3000);
	unsigned long away = 0, loops = 0;
	pid_t victim = getpid(), sender;
	int status;

	if (!__builtin_cpu_supports("avx2"))
		return EXIT_NO_AVX2;
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 4; j++)
			storm_ymm[i][j] = 0x0101010101010101 * (i + 1) + j;
	handled = must(mmap(NULL, sizeof(*handled), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	check(signal(SIGUSR1, handler) != SIG_ERR, "signal: %s", strerror(errno));
	sender = must(fork());
	if (!sender) {
		/* One that comes before the last was taken is none: then there are more. */
		for (long i = 0; i < signals || load(handled) <= signals / 20; i++) {
			must(kill(victim, SIGUSR1));
			usleep(i % 7 * 100);
		}
		exit(0);
	}
	go_away();
	while (waitpid(sender, &status, WNOHANG) != sender) {
		unsigned long changed = storm_round(200000);

		check(!changed, "%lu registers changed", changed);
		loops++;
		away += is_away();
	}
	check(!status, "the sender ended with status %x", status);
	check(load(handled) > signals / 20, "only %ld of %ld signals were handled", load(handled), signals);
	require_away(away, loops / 4 + 1);
	printf("registers kept under %ld signals\n", signals);
	return 0;
}
