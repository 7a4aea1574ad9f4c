// SPDX-License-Identifier: GPL-2.0
/* threads [rounds]: a thread is created and joined. */
#include "bench.h"
#include <pthread.h>

static long ran;

static void *body(void *arg)
{
	see(arg);
	ran++;
	return NULL;
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 100);
	static struct seen seen;
	pthread_t thread;
	double start;

	check(rounds > 0, "at least one round");
	start = now();
	for (long i = 0; i < rounds; i++) {
		must0(pthread_create(&thread, NULL, body, &seen));
		must0(pthread_join(thread, NULL));
	}
	print_time(now() - start, rounds);
	check(ran == rounds, "%ld of %ld threads ran", ran, rounds);
	print_seen(&seen);
	return 0;
}
