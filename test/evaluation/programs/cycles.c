// SPDX-License-Identifier: GPL-2.0
/*
 * cycles NAME [batches [calls]]: what one system call takes, in cycles of the time-stamp
 * counter; in Bochs those are instructions. The call is made directly: no C library, no
 * vDSO. Where the mean is above the least, something came between: an interrupt, or
 * a policy that changed its mind.
 *
 *   cycles/op        the mean of all batches but the first
 *   least-cycles/op  that of the best batch
 */
#include "../../bench/bench.h"
#include "tsc.h"
#include <sys/syscall.h>
#include <unistd.h>

static inline long raw(long number)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	return result;
}

static long number(const char *name)
{
	if (!strcmp(name, "getpid"))
		return SYS_getpid;
	if (!strcmp(name, "getppid"))
		return SYS_getppid;
	fail("no call \"%s\"", name);
}

static unsigned long batch(long call, long calls)
{
	long want = raw(call);
	unsigned long start = read_tsc();

	for (long i = 0; i < calls; i++)
		check(raw(call) == want, "another answer");
	return read_tsc() - start;
}

int main(int argc, char **argv)
{
	long call = number(argc > 1 ? argv[1] : "getppid");
	long batches = argument(argc, argv, 2, 20);
	long calls = argument(argc, argv, 3, 100);
	unsigned long spent, sum = 0, least = ~0UL;
	static struct seen seen;

	check(batches > 1 && calls > 0, "at least two batches of one call");
	go_away();
	see(&seen);
	for (long b = 0; b < batches; b++) {
		spent = batch(call, calls);
		see(&seen);
		if (!b)
			continue; /* what happens but once */
		sum += spent;
		if (spent < least)
			least = spent;
	}
	printf("ops %ld\n", (batches - 1) * calls);
	print_value("cycles/op", (double)sum / ((batches - 1) * calls));
	print_value("least-cycles/op", (double)least / calls);
	print_seen(&seen);
	return 0;
}
