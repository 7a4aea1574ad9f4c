// SPDX-License-Identifier: GPL-2.0
/*
 * futexop [kernel operations [seconds]]: no update of an atomic counter is lost, neither
 * between threads on different CPUs nor between them and Linux, which adds to the
 * same word in FUTEX_WAKE_OP.
 */
#include "where.h"
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS		2

static uint32_t counter __attribute__((aligned(64)));
static uint32_t unused __attribute__((aligned(64)));
static bool stop;
static struct adder {
	pthread_t thread;
	uint32_t added;
	unsigned long batches, away;
} __attribute__((aligned(128))) adders[THREADS];

static void *add(void *arg)
{
	struct adder *self = arg;

	go_away();
	while (!load(&stop)) {
		bool away = is_away();

		for (int i = 0; i < 1000; i++)
			__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
		self->added += 1000;
		self->batches++;
		self->away += away && is_away();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint32_t operations = argument(argc, argv, 1, 50000), by_kernel = 0, sum;
	double seconds = argument(argc, argv, 2, 0), start;
	unsigned long batches = 0, away = 0;

	for (int i = 0; i < THREADS; i++)
		must0(pthread_create(&adders[i].thread, NULL, add, &adders[i]));
	spin_until(load(&counter) > 10000);
	start = now();
	for (; goes_on(by_kernel, operations, start, seconds); by_kernel++)
		must(syscall(SYS_futex, &unused, FUTEX_WAKE_OP, 1, 1, &counter,
			     FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_LT, 0)));
	store(&stop, true);
	sum = by_kernel;
	for (int i = 0; i < THREADS; i++) {
		must0(pthread_join(adders[i].thread, NULL));
		sum += adders[i].added;
		batches += adders[i].batches;
		away += adders[i].away;
	}
	check(counter == sum, "%u updates were made, %u are in the counter", sum, counter);
	require_away(away, batches / 2);
	fprintf(stderr, "futexop: %u checks, %u updates by the kernel\n", sum, by_kernel);
	printf("no update lost\n");
	return 0;
}
