// SPDX-License-Identifier: GPL-2.0
/*
 * ucontext [rounds]: a handler that interrupts a loop running away, in which no
 * memory but one flag is touched, changes a general register and an SSE register
 * of the interrupted context; the loop ends with the new values.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

static volatile int done;
static volatile bool spinning;
static long rounds;

static void handler(int sig, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	(void)sig;
	(void)info;
	m->gregs[REG_R13] += 1000;
	m->fpregs->_xmm[5].element[0] ^= 0x12345678;
	m->fpregs->_xmm[5].element[3] ^= 0x9abcdef0;
	done = 1;
}

static void *loop(void *arg)
{
	(void)arg;
	for (long i = 0; i < rounds; i++) {
		uint64_t r13 = i;
		uint32_t in[4] = { i, 1, 2, 3 }, out[4];

		done = 0;
		go_away();
		spinning = true;
		asm volatile("mov %[r13], %%r13\n"
			     "	movups %[in], %%xmm5\n"
			     "1:	cmpl $0, %[done]\n"
			     "	je 1b\n"
			     "	mov %%r13, %[r13]\n"
			     "	movups %%xmm5, %[out]\n"
			     : [r13] "+r"(r13), [out] "=m"(out)
			     : [in] "m"(in), [done] "m"(done)
			     : "r13", "xmm5", "cc");
		check(r13 == (uint64_t)i + 1000, "r13 is %lu after round %ld", r13, i);
		check(out[0] == ((uint32_t)i ^ 0x12345678) && out[1] == 1 && out[2] == 2 &&
		      out[3] == (3 ^ 0x9abcdef0), "xmm5 is %x %x %x %x", out[0], out[1], out[2],
		      out[3]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	pthread_t thread;

	rounds = argument(argc, argv, 1, 200);
	must(sigaction(SIGUSR1, &sa, NULL));
	must0(pthread_create(&thread, NULL, loop, NULL));
	for (long i = 0; i < rounds; i++) {
		spin_until(spinning);
		spinning = false;
		must0(pthread_kill(thread, SIGUSR1));
	}
	must0(pthread_join(thread, NULL));
	printf("%ld contexts changed\n", rounds);
	return 0;
}
