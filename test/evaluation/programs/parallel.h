/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parallel programs share: threads of which the main thread is one, as the
 * programs of SPLASH-2 have them, and a barrier out of a mutex and a condition variable.
 * The time of the parallel part is printed beside that of the whole program, which
 * whoever starts it measures.
 */
#ifndef PARALLEL_H
#define PARALLEL_H

#include "../../bench/bench.h"
#include "tsc.h"
#include <pthread.h>

#define MAX_THREADS 64

static int threads = 8;
static struct seen seen_by[MAX_THREADS];

static struct {
	pthread_mutex_t lock;
	pthread_cond_t all;
	int waiting;
	unsigned int round;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };

/* Waits until all threads are here, and counts a pass of this one. */
static void barrier(int me)
{
	unsigned int round;

	see(&seen_by[me]);
	pthread_mutex_lock(&gate.lock);
	round = gate.round;
	if (++gate.waiting == threads) {
		gate.waiting = 0;
		gate.round++;
		pthread_cond_broadcast(&gate.all);
	}
	while (round == gate.round)
		pthread_cond_wait(&gate.all, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void *allocate(size_t size)
{
	void *memory = aligned_alloc(4096, (size + 4095) & ~4095UL);

	check(memory, "no memory");
	return memory;
}

/* Deterministic, of [0, 1). */
static inline double random_fraction(void)
{
	static unsigned long state = 88172645463325252UL;

	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (state >> 11) * 0x1p-53;
}

/* Runs work(0), work(1), ... in as many threads, and prints what all programs print. */
static void run_parallel(void *(*work)(void *))
{
	pthread_t thread[MAX_THREADS];
	static struct seen seen;
	unsigned long start = read_tsc();

	for (long i = 1; i < threads; i++)
		check(!pthread_create(&thread[i], NULL, work, (void *)i), "no thread");
	work(NULL);
	for (int i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("ops 1\n");
	print_value("parallel-cycles", read_tsc() - start);
	for (int i = 0; i < threads; i++)
		see_all(&seen, &seen_by[i]);
	print_seen(&seen);
}

#endif
