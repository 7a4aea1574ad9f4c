// SPDX-License-Identifier: GPL-2.0
/*
 * phases [ROUNDS [CALLS]]: computes until it is away, then makes system calls until
 * it is home, in turn. Ends with an error if it was not home after so many calls.
 *
 * phases pace MICROSECONDS MILLISECONDS: makes a call every so often for so long.
 */
#include "where.h"
#include "check.h"
#include <sys/syscall.h>
#include <unistd.h>

static void compute(double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		;
}

static void pace(double seconds, double limit)
{
	double end = now() + limit;

	while (now() < end) {
		compute(seconds);
		syscall(SYS_getppid);
	}
}

static long call_home(long most)
{
	long calls = 0;

	while (is_away()) {
		check(calls < most, "away after %ld calls", calls);
		syscall(SYS_getppid);
		calls++;
	}
	return calls;
}

int main(int argc, char **argv)
{
	long rounds, most;

	if (argc == 4 && !strcmp(argv[1], "pace")) {
		pace(argument(argc, argv, 2, 0) * 1e-6, argument(argc, argv, 3, 0) * 1e-3);
		return 0;
	}
	rounds = argument(argc, argv, 1, 5);
	most = argument(argc, argv, 2, 5000);
	for (long i = 0; i < rounds; i++) {
		go_away();
		fprintf(stderr, "phases: home after %ld calls\n", call_home(most));
	}
	printf("%ld rounds\n", rounds);
	return 0;
}
