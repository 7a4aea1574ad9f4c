// SPDX-License-Identifier: GPL-2.0
/*
 * fpu [rounds]: the whole floating-point state survives what can happen to a
 * thread that is away: a system call, the first touch of a page, a signal that
 * finds it spinning, and another thread taking its turn on the CPU. And it is what
 * others see of it: a child that is forked, a signal's handler, a tracer that comes
 * while it waits in a call.
 *
 * Each probe fills xmm0-15 (ymm0-15 with AVX), the x87 stack, its control word and
 * MXCSR, does the one thing, and stores all of it: C code in between would hide a
 * loss, since a compiler keeps nothing in these registers over a call.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE		4096UL

struct state {
	uint64_t ymm[16][4];
	double x87[8];
	uint32_t mxcsr;
	uint16_t control;
} fpu_in, fpu_out;
_Static_assert(__builtin_offsetof(struct state, x87) == 512, "the assembly below");
_Static_assert(__builtin_offsetof(struct state, mxcsr) == 576, "the assembly below");
_Static_assert(__builtin_offsetof(struct state, control) == 580, "the assembly below");

volatile char *fpu_page;	/* that fpu_touch writes to */
long fpu_self;			/* that fpu_raise signals */
int fpu_pipe;			/* that fpu_block reads from */
char fpu_byte;
volatile int fpu_released;	/* that fpu_wait waits for */

/* fpu_X(): loads fpu_in, does X, stores fpu_out. With _avx: the upper halves too. */
asm(
".macro FPU_EACH op:req, width\n"
"	.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	\\op\\width \\i\n"
"	.endr\n"
".endm\n"
".macro LOAD_sse i\n	movups fpu_in+32*\\i(%rip), %xmm\\i\n.endm\n"
".macro SAVE_sse i\n	movups %xmm\\i, fpu_out+32*\\i(%rip)\n.endm\n"
".macro LOAD_avx i\n	vmovups fpu_in+32*\\i(%rip), %ymm\\i\n.endm\n"
".macro SAVE_avx i\n	vmovups %ymm\\i, fpu_out+32*\\i(%rip)\n.endm\n"
".macro FPU name, width\n"
"	.globl fpu_\\name\\()_\\width\n"
"fpu_\\name\\()_\\width:\n"
"	push %rbx\n"
"	fninit\n"
"	.irp i, 7,6,5,4,3,2,1,0\n"
"	fldl fpu_in+512+8*\\i(%rip)\n"
"	.endr\n"
"	fldcw fpu_in+580(%rip)\n"
"	ldmxcsr fpu_in+576(%rip)\n"
"	FPU_EACH LOAD_, \\width\n"
"	ACT_\\name\n"
"	FPU_EACH SAVE_, \\width\n"
"	stmxcsr fpu_out+576(%rip)\n"
"	fnstcw fpu_out+580(%rip)\n"
"	.irp i, 0,1,2,3,4,5,6,7\n"
"	fstpl fpu_out+512+8*\\i(%rip)\n"
"	.endr\n"
"	fninit\n"
"	movl $0x1f80, -8(%rsp)\n	ldmxcsr -8(%rsp)\n"
"	pop %rbx\n"
"	ret\n"
".endm\n"
".macro FPU_BOTH name\n"
"	FPU \\name, sse\n"
"	FPU \\name, avx\n"
".endm\n"
".macro ACT_call\n	mov $110, %eax\n	syscall\n.endm\n	FPU_BOTH call\n"
".macro ACT_fork\n	mov $57, %eax\n	syscall\n.endm\n	FPU_BOTH fork\n"
".macro ACT_raise\n	mov fpu_self(%rip), %rdi\n	mov $12, %esi\n	mov $62, %eax\n	syscall\n.endm\n	FPU_BOTH raise\n"
".macro ACT_block\n	mov fpu_pipe(%rip), %edi\n	lea fpu_byte(%rip), %rsi\n	mov $1, %edx\n	xor %eax, %eax\n	syscall\n.endm\n	FPU_BOTH block\n"
".macro ACT_touch\n	mov fpu_page(%rip), %rax\n	incb (%rax)\n.endm\n	FPU_BOTH touch\n"
".macro ACT_wait\n	.Lwait\\@: cmpl $0, fpu_released(%rip)\n	je .Lwait\\@\n.endm\n	FPU_BOTH wait\n"
".macro ACT_spin\n	mov $3000000, %ecx\n	.Lspin\\@: dec %ecx\n	jnz .Lspin\\@\n.endm\n	FPU_BOTH spin\n");

void fpu_call_sse(void), fpu_call_avx(void), fpu_touch_sse(void), fpu_touch_avx(void);
void fpu_wait_sse(void), fpu_wait_avx(void), fpu_spin_sse(void), fpu_spin_avx(void);

void fpu_fork_sse(void), fpu_fork_avx(void), fpu_raise_sse(void), fpu_raise_avx(void);
void fpu_block_sse(void), fpu_block_avx(void);

static bool avx;
static uint32_t generation;

static void fill(void)
{
	generation++;
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 4; j++)
			fpu_in.ymm[i][j] = ((uint64_t)generation << 32) + i * 16 + j + 1;
	for (int i = 0; i < 8; i++)
		fpu_in.x87[i] = generation + i / 8.0;
	fpu_in.mxcsr = generation & 1 ? 0x1f80 : 0x3f80;	/* round to nearest, or down */
	fpu_in.control = generation & 2 ? 0x37f : 0x77f;
	memset(&fpu_out, 0, sizeof(fpu_out));
}

static void compare(const char *what)
{
	for (int i = 0; i < 16; i++)
		check(!memcmp(fpu_in.ymm[i], fpu_out.ymm[i], avx ? 32 : 16),
		      "%s: register %d is %#lx %#lx %#lx %#lx, not %#lx…", what, i, fpu_out.ymm[i][0],
		      fpu_out.ymm[i][1], fpu_out.ymm[i][2], fpu_out.ymm[i][3], fpu_in.ymm[i][0]);
	for (int i = 0; i < 8; i++)
		check(fpu_in.x87[i] == fpu_out.x87[i], "%s: st(%d) is %g, not %g", what, i,
		      fpu_out.x87[i], fpu_in.x87[i]);
	check(fpu_in.mxcsr == fpu_out.mxcsr, "%s: MXCSR is %x, not %x", what, fpu_out.mxcsr,
	      fpu_in.mxcsr);
	check(fpu_in.control == fpu_out.control, "%s: x87 control word is %x, not %x", what,
	      fpu_out.control, fpu_in.control);
}

static void probe(const char *what, void (*sse)(void), void (*with_avx)(void))
{
	fill();
	go_away();
	if (avx)
		with_avx();
	else
		sse();
	compare(what);
}

static void calls(long rounds)
{
	for (long i = 0; i < rounds; i++)
		probe("system call", fpu_call_sse, fpu_call_avx);
	printf("floating-point state kept over %ld system calls\n", rounds);
}

static void touches(long rounds)
{
	char *area = must(mmap(NULL, rounds * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	no_huge_pages(area, rounds * PAGE);
	for (long i = 0; i < rounds; i++) {
		fpu_page = area + i * PAGE;
		probe("first touch", fpu_touch_sse, fpu_touch_avx);
	}
	printf("floating-point state kept over %ld page faults\n", rounds);
}

/* Its own state differs, so that what the handler leaves behind would be seen. */
static void on_usr1(int sig)
{
	(void)sig;
	asm volatile("fninit; fldz; fldz; fldz\n"
		     ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		     "	pxor %%xmm\\i, %%xmm\\i\n"
		     ".endr\n"
		     "	fninit\n"
		     ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		     "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	fpu_released = 1;
}

static volatile bool waits, finished;

static void *signaller(void *victim)
{
	while (!finished) {
		if (!waits) {
			__builtin_ia32_pause();
			continue;
		}
		waits = false;
		must0(pthread_kill(*(pthread_t *)victim, SIGUSR1));
	}
	return NULL;
}

static void signals(long rounds)
{
	pthread_t self = pthread_self(), thread;

	check(signal(SIGUSR1, on_usr1) != SIG_ERR, "signal: %s", strerror(errno));
	must0(pthread_create(&thread, NULL, signaller, &self));
	for (long i = 0; i < rounds; i++) {
		fpu_released = 0;
		go_away();
		waits = true;
		probe("signal", fpu_wait_sse, fpu_wait_avx);
	}
	finished = true;
	must0(pthread_join(thread, NULL));
	printf("floating-point state kept over %ld signals\n", rounds);
}

static void forks(long rounds)
{
	pid_t self = getpid();
	int status;

	for (long i = 0; i < rounds; i++) {
		probe("fork", fpu_fork_sse, fpu_fork_avx);	/* both processes compare */
		if (getpid() != self)
			_exit(0);
		check(wait(&status) > 0 && !status, "the child ended with status %x", status);
	}
	printf("floating-point state the same in %ld children\n", rounds);
}

static volatile long framed, wrong;

static void look_at_frame(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *c = context;

	(void)sig;
	(void)info;
	for (int i = 0; i < 16; i++)
		wrong += !!memcmp(&c->uc_mcontext.fpregs->_xmm[i], fpu_in.ymm[i], 16);
	wrong += c->uc_mcontext.fpregs->mxcsr != fpu_in.mxcsr;
	framed++;
}

static void frames(long rounds)
{
	struct sigaction action = { .sa_sigaction = look_at_frame, .sa_flags = SA_SIGINFO };

	must(sigaction(SIGUSR2, &action, NULL));
	fpu_self = getpid();
	for (long i = 0; i < rounds; i++)
		probe("own signal", fpu_raise_sse, fpu_raise_avx);
	check(framed == rounds && !wrong, "%ld signals, %ld registers wrong in their frames", framed, wrong);
	printf("floating-point state right in %ld signal frames\n", rounds);
}

/* A child waits in a call that it made away; its tracer sees its registers, and changes one. */
static void traced_child(int ready)
{
	go_away();
	check(write(ready, "r", 1) == 1, "write: %s", strerror(errno));
	go_away();
	if (avx)
		fpu_block_avx();
	else
		fpu_block_sse();
	fpu_in.ymm[3][0] ^= 1;
	compare("tracer");
	_exit(0);
}

static void until_it_waits(pid_t pid)
{
	char path[64], text[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (;;) {
		f = fopen(path, "r");
		check(f, "%s: %s", path, strerror(errno));
		if (fgets(text, sizeof(text), f) && !strncmp(text, "0 ", 2)) {
			fclose(f);
			return;
		}
		fclose(f);
		sched_yield();
	}
}

static void tracer(long rounds)
{
	struct user_fpregs_struct r;
	int go[2], ready[2], status;
	char byte;
	pid_t pid;

	must(pipe(go));
	must(pipe(ready));
	fpu_pipe = go[0];
	for (long i = 0; i < rounds; i++) {
		fill();
		pid = must(fork());
		if (!pid)
			traced_child(ready[1]);
		check(read(ready[0], &byte, 1) == 1, "read: %s", strerror(errno));
		until_it_waits(pid);
		must(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
		must(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
		check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "status %x", status);
		must(ptrace(PTRACE_GETFPREGS, pid, NULL, &r));
		for (int x = 0; x < 16; x++)
			check(!memcmp(&r.xmm_space[4 * x], fpu_in.ymm[x], 16), "tracer: register %d is wrong", x);
		r.xmm_space[4 * 3] ^= 1;
		must(ptrace(PTRACE_SETFPREGS, pid, NULL, &r));
		must(ptrace(PTRACE_DETACH, pid, NULL, NULL));
		check(write(go[1], "g", 1) == 1, "write: %s", strerror(errno));
		check(waitpid(pid, &status, 0) == pid && !status, "the child ended with status %x", status);
	}
	printf("floating-point state shown to %ld tracers\n", rounds);
}

/* More threads than CPUs, each with values of its own in the same registers. */
static void *crowd(void *arg)
{
	unsigned int id = (unsigned long)arg;
	const float want[4] = { id, id + 0.25f, id + 0.5f, id + 0.75f };
	float got[4];

	go_away();
	for (int i = 0; i < 200; i++) {
		asm volatile("movups %1, %%xmm9\n"
			     "	mov $100000, %%ecx\n"
			     "1:	dec %%ecx\n"
			     "	jnz 1b\n"
			     "	movups %%xmm9, %0\n"
			     : "=m"(got) : "m"(want) : "ecx", "xmm9", "cc");
		check(!memcmp(got, want, sizeof(got)), "thread %u sees %g in xmm9", id, got[0]);
	}
	return NULL;
}

static void sharing(void)
{
	pthread_t thread[8];

	for (unsigned long i = 0; i < 8; i++)
		must0(pthread_create(&thread[i], NULL, crowd, (void *)i));
	for (int i = 0; i < 8; i++)
		must0(pthread_join(thread[i], NULL));
	printf("floating-point state kept among 8 threads\n");
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 300);

	avx = __builtin_cpu_supports("avx");
	calls(rounds);
	touches(rounds);
	forks(rounds / 10);
	frames(rounds);
	tracer(rounds / 10);
	signals(rounds);
	for (int i = 0; i < 20; i++)
		probe("spin", fpu_spin_sse, fpu_spin_avx);
	sharing();
	return 0;
}
