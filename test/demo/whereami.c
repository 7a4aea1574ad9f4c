// SPDX-License-Identifier: GPL-2.0
/*
 * whereami THREADS: every thread computes for a while without a system call
 * and prints the APIC ids of the CPUs that it found itself on, as CPUID says.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "../programs/where.h"

#define MAX_THREADS 64
#define ROUNDS 3000

#define MAX_APICS 256

static unsigned char seen[MAX_THREADS][MAX_APICS];

static void *spin(void *arg)
{
	unsigned char *ids = arg;

	for (int i = 0; i < ROUNDS; i++) {
		for (volatile int work = 0; work < 10000; work++)
			;
		ids[apic_id() % MAX_APICS] = 1;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc == 2 ? atoi(argv[1]) : 0;
	pthread_t t[MAX_THREADS];

	if (threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "usage: whereami THREADS (1 to %d)\n", MAX_THREADS);
		return 2;
	}
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, spin, seen[i])) {
			fprintf(stderr, "whereami: cannot start thread %d\n", i);
			return 1;
		}
	for (int i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		printf("%sthread %d:", i ? ", " : "", i);
		for (int id = 0; id < MAX_APICS; id++)
			if (seen[i][id])
				printf(" %d", id);
	}
	putchar('\n');
	return 0;
}
