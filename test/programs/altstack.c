// SPDX-License-Identifier: GPL-2.0
/*
 * altstack: handlers run on the alternate stack, for a signal that finds the
 * thread spinning away and for a stack that has grown to its limit.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#define STACK_LIMIT	(1 << 20)

static char stack[65536] __attribute__((aligned(16)));
static sigjmp_buf back;
static volatile int handled;
static volatile bool spinning;
static uintptr_t fault_address;
static uintptr_t deepest;

static bool on_alternate(void *p)
{
	return (char *)p >= stack && (char *)p < stack + sizeof(stack);
}

static void check_stack(void)
{
	stack_t now_used;
	char here;

	check(on_alternate(&here), "the handler runs at %p, not on the alternate stack", (void *)&here);
	must(sigaltstack(NULL, &now_used));
	check(now_used.ss_flags == SS_ONSTACK, "ss_flags %x in the handler", now_used.ss_flags);
}

static void on_usr1(int sig)
{
	(void)sig;
	check_stack();
	handled++;
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	check_stack();
	fault_address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

static void use_alternate(void)
{
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	must(sigaltstack(&alternate, NULL));
}

/* Away while the signal comes: it spins without a call until it was handled. */
static void *spinner(void *arg)
{
	(void)arg;
	use_alternate();
	for (int i = 0; i < 100; i++) {
		go_away();
		spinning = true;
		spin_until(handled > i);
		check(!on_alternate(__builtin_frame_address(0)), "back on the wrong stack");
	}
	return NULL;
}

static void spinning_thread(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, spinner, NULL));
	for (int i = 0; i < 100; i++) {
		spin_until(spinning);
		spinning = false;
		must0(pthread_kill(thread, SIGUSR1));
		spin_until(handled > i);
	}
	must0(pthread_join(thread, NULL));
	printf("100 signals on the alternate stack of a spinning thread\n");
}

static volatile bool forever = true;	/* the compiler must not see the recursion as endless */

__attribute__((noinline)) static int recurse(volatile char *above)
{
	volatile char frame[2048];

	frame[0] = *above;
	deepest = (uintptr_t)frame;
	return forever ? recurse(frame) + frame[0] : 0;
}

static void overflow(void)
{
	struct rlimit limit;
	uintptr_t start = (uintptr_t)__builtin_frame_address(0);
	volatile char zero = 0;

	use_alternate();
	must(getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = STACK_LIMIT;
	must(setrlimit(RLIMIT_STACK, &limit));
	for (int i = 0; i < 20; i++) {
		if (!sigsetjmp(back, 1)) {
			go_away();
			recurse(&zero);
		}
		check(start - fault_address < STACK_LIMIT + (1 << 20) && fault_address < deepest + 4096,
		      "fault at %#lx, frames from %#lx down to %#lx", fault_address, start, deepest);
		check(start - deepest > STACK_LIMIT / 2, "the stack grew by only %lu bytes",
		      start - deepest);
	}
	printf("stack overflow handled on the alternate stack, 20 rounds\n");
}

int main(void)
{
	struct sigaction usr1 = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };
	struct sigaction segv = { .sa_sigaction = on_segv, .sa_flags = SA_ONSTACK | SA_SIGINFO };

	must(sigaction(SIGUSR1, &usr1, NULL));
	must(sigaction(SIGSEGV, &segv, NULL));
	spinning_thread();
	overflow();
	return 0;
}
