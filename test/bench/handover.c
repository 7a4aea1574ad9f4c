// SPDX-License-Identifier: GPL-2.0
/*
 * handover [rounds]: two threads hand a token to each other by futexes. One operation
 * is one hand-over: wake the other, wait until it hands back.
 */
#include "bench.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t turn;		/* whose it is: 0 or 1 */
static long rounds, handed[2];
static struct seen seen[2];

static void await(uint32_t self)
{
	uint32_t whose;

	while ((whose = load(&turn)) != self)
		if (syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, whose, NULL, NULL, 0) < 0)
			check(errno == EAGAIN || errno == EINTR, "wait: %s", strerror(errno));
}

static void hand(uint32_t self)
{
	store(&turn, !self);
	must(syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	handed[self]++;
}

static void *play(void *arg)
{
	uint32_t self = (uintptr_t)arg;

	for (long i = 0; i < rounds; i++) {
		await(self);
		if (i % 16 == 0)
			see(&seen[self]);
		hand(self);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t other;
	double start;

	rounds = argument(argc, argv, 1, 500);
	check(rounds > 0, "at least one round");
	must0(pthread_create(&other, NULL, play, (void *)1));
	start = now();
	play(NULL);
	must0(pthread_join(other, NULL));
	print_time(now() - start, 2 * rounds);
	check(handed[0] == rounds && handed[1] == rounds, "%ld and %ld of %ld", handed[0], handed[1], rounds);
	see_all(&seen[0], &seen[1]);
	print_seen(&seen[0]);
	return 0;
}
