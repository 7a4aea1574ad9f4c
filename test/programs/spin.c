// SPDX-License-Identifier: GPL-2.0
/*
 * spin [threads [millions of steps]]: every thread does the same work; prints the
 * APIC ids that each saw, and how long all took.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdint.h>

#define MAX_THREADS	64
#define STEP		1000000

static long steps;
static struct worker {
	pthread_t thread;
	uint64_t seen;		/* bit: APIC id */
	uint64_t result;
} workers[MAX_THREADS];

static void *work(void *arg)
{
	struct worker *self = arg;
	uint64_t x = 1;

	for (long i = 0; i < steps; i++) {
		for (int k = 0; k < STEP; k++)
			x = x * 6364136223846793005u + 1442695040888963407u;
		self->seen |= 1UL << (apic_id() & 63);
	}
	self->result = x;
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 1, 4);
	double start = now();

	steps = argument(argc, argv, 2, 200);
	check(threads >= 1 && threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	for (long i = 0; i < threads; i++)
		must0(pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	for (long i = 0; i < threads; i++) {
		must0(pthread_join(workers[i].thread, NULL));
		check(workers[i].result == workers[0].result, "thread %ld computed another result", i);
	}
	for (long i = 0; i < threads; i++) {
		printf("thread %ld: APIC ids", i);
		for (int id = 0; id < 64; id++)
			if (workers[i].seen >> id & 1)
				printf(" %d", id);
		printf("\n");
	}
	printf("%ld threads, %ld million steps each: %.2f s\n", threads, steps, now() - start);
	return 0;
}
