// SPDX-License-Identifier: GPL-2.0
/*
 * compute [threads [chunks [steps]]]: arithmetic in registers, and no system call. The
 * work is the same whatever the number of threads, and so is the result.
 */
#include "bench.h"
#include <pthread.h>
#include <stdint.h>

#define MAX_THREADS	256

struct part {
	long first, end;
	uint64_t result;
	struct seen seen;
};

static struct part part[MAX_THREADS];
static long steps;

static uint64_t chunk(uint64_t x)
{
	x = x * 2 + 1;
	for (long i = 0; i < steps; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static void *work(void *arg)
{
	struct part *p = arg;

	for (long i = p->first; i < p->end; i++) {
		p->result += chunk(i);
		see(&p->seen);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 1, 1);
	long chunks = argument(argc, argv, 2, 840);
	pthread_t thread[MAX_THREADS];
	static struct seen seen;
	uint64_t result = 0;
	double start;

	steps = argument(argc, argv, 3, 30000);
	check(threads > 0 && threads <= MAX_THREADS && chunks > 0, "1 to %d threads, at least one chunk", MAX_THREADS);
	start = now();
	for (long i = 0; i < threads; i++) {
		part[i].first = chunks * i / threads;
		part[i].end = chunks * (i + 1) / threads;
		if (i > 0)
			must0(pthread_create(&thread[i], NULL, work, &part[i]));
	}
	work(&part[0]);
	for (long i = 1; i < threads; i++)
		must0(pthread_join(thread[i], NULL));
	print_time(now() - start, 1);
	for (long i = 0; i < threads; i++) {
		result += part[i].result;
		see_all(&seen, &part[i].seen);
	}
	printf("result %016lx\n", result);
	print_seen(&seen);
	return 0;
}
