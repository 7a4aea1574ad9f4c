// SPDX-License-Identifier: GPL-2.0
/*
 * spinner [threads]: threads that spin away until they are killed. Prints
 * "ready" when all have been away, and again on SIGUSR1, which proves that it lives.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

volatile unsigned long turns;
static int away;
static long threads;

__attribute__((noinline)) void turn(void)
{
	turns++;
}

static void on_usr1(int sig)
{
	(void)sig;
	must(write(1, "ready\n", 6));
}

static void *spin(void *arg)
{
	go_away();
	if (__atomic_add_fetch(&away, 1, __ATOMIC_ACQ_REL) == threads)
		must(write(1, "ready\n", 6));
	for (;;)
		turn();
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	threads = argument(argc, argv, 1, 1);
	check(signal(SIGUSR1, on_usr1) != SIG_ERR, "signal: %s", strerror(errno));
	for (long i = 1; i < threads; i++)
		must0(pthread_create(&thread, NULL, spin, NULL));
	spin(NULL);
	return 0;
}
