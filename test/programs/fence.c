// SPDX-License-Identifier: GPL-2.0
/*
 * fence [command [rounds]]: asymmetric fences. One thread, away, writes x and reads y
 * with nothing but a compiler barrier between; the other writes y, calls membarrier()
 * and reads x. Never may both read the old value.
 *
 * That a processor holds a write back for as long as a system call takes is rare:
 * the suite also looks whether the other CPU was interrupted.
 */
#include "where.h"
#include "check.h"
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

struct line {
	volatile long v;
} __attribute__((aligned(128)));

static struct line x, y, round_now, done;
static long y_read;
static unsigned long away;

static void *light(void *arg)
{
	long round = 0;

	go_away();
	store(&done.v, 1);
	for (;;) {
		spin_until(load(&round_now.v) != round);
		round = load(&round_now.v);
		if (round < 0)
			return arg;
		x.v = round;
		asm volatile("" ::: "memory");
		y_read = y.v;
		away += is_away();
		store(&done.v, round + 1);
	}
}

static int command_named(const char *name)
{
	static const struct {
		const char *name;
		int command, registration;
	} commands[] = {
		{ "global", MEMBARRIER_CMD_GLOBAL, 0 },
		{ "global-expedited", MEMBARRIER_CMD_GLOBAL_EXPEDITED,
		  MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED },
		{ "private", MEMBARRIER_CMD_PRIVATE_EXPEDITED,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED },
		{ "sync-core", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE },
	};

	for (unsigned int i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		if (commands[i].registration)
			must(syscall(SYS_membarrier, commands[i].registration, 0, 0));
		return commands[i].command;
	}
	fail("there is no command \"%s\"", name);
}

int main(int argc, char **argv)
{
	int command = command_named(argc > 1 ? argv[1] : "private");
	long rounds = argument(argc, argv, 2, 3000);
	pthread_t thread;

	must0(pthread_create(&thread, NULL, light, NULL));
	spin_until(load(&done.v));
	for (long round = 1; round <= rounds; round++) {
		long x_read;

		store(&round_now.v, round);
		y.v = round;
		must(syscall(SYS_membarrier, command, 0, 0));
		x_read = x.v;
		spin_until(load(&done.v) == round + 1);
		check(y_read == round || x_read == round, "round %ld: both read the old value", round);
	}
	store(&round_now.v, -1);
	must0(pthread_join(thread, NULL));
	require_away(away, rounds);
	printf("%ld fences\n", rounds);
	return 0;
}
