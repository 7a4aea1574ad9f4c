// SPDX-License-Identifier: GPL-2.0
/*
 * flusher [threads]: threads spin away, and the main thread changes a mapping for ever
 * and waits for nobody, so that Linux goes on asking their CPUs for flushes. To be killed.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>

#define SIZE	(16 * 4096)

static int stop;

static void *spin(void *arg)
{
	go_away();
	spin_until(load(&stop));
	return arg;
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 1, 2);
	char *region = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (long i = 0; i < threads; i++) {
		pthread_t thread;

		must0(pthread_create(&thread, NULL, spin, NULL));
	}
	while (!load(&stop)) {
		for (int i = 0; i < SIZE; i += 4096)
			region[i]++;
		must(madvise(region, SIZE, MADV_DONTNEED));
	}
	return 0;
}
