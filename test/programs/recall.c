// SPDX-License-Identifier: GPL-2.0
/*
 * recall [signals]: no request to come home is lost, whatever the CPU does at that
 * moment. The thread enters and leaves the application kernel as fast as it can (a
 * call, or the first touch of a page) and then spins until the handler has run; the
 * signal is sent at a moment that moves over all of that in small steps.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	4096L
#define PAGES	64L

static long signals;
static int handled, armed;
static char *area;
static unsigned long away;

static void handler(int sig)
{
	(void)sig;
	__atomic_add_fetch(&handled, 1, __ATOMIC_ACQ_REL);
}

static void *victim(void *arg)
{
	(void)arg;
	for (int i = 1; i <= signals; i++) {
		if (i % PAGES == 1)
			must(madvise(area, PAGES * PAGE, MADV_DONTNEED));
		go_away();
		away += is_away();
		store(&armed, i);
		if (i & 1)
			syscall(SYS_getppid);
		else
			area[i % PAGES * PAGE] = 1;
		spin_until(load(&handled) >= i);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pthread_t thread;

	signals = argument(argc, argv, 1, 2000);
	area = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0));
	must(sigaction(SIGUSR1, &sa, NULL));
	must0(pthread_create(&thread, NULL, victim, NULL));
	for (int i = 1; i <= signals; i++) {
		spin_until(load(&armed) >= i);
		for (volatile int k = 0; k < i % 400 * 20; k++)
			;
		must0(pthread_kill(thread, SIGUSR1));
	}
	must0(pthread_join(thread, NULL));
	require_away(away, signals / 2);
	printf("%ld signals, none lost\n", signals);
	return 0;
}
