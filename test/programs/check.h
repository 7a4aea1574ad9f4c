/* SPDX-License-Identifier: GPL-2.0 */
/* Failing loudly, and waiting without a system call. Include after where.h. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Prints one line and ends the program with status 1. */
#define fail(fmt, ...) do {						\
	fprintf(stderr, "%s: %s:%d: " fmt "\n", program_invocation_short_name, \
		__FILE__, __LINE__, ##__VA_ARGS__);			\
	exit(1);							\
} while (0)

#define check(cond, fmt, ...) do {					\
	if (!(cond))							\
		fail(fmt, ##__VA_ARGS__);				\
} while (0)

/* For calls that return -1 and set errno. */
#define must(call) ({							\
	__auto_type must_result = (call);				\
	if ((long)must_result == -1)					\
		fail("%s: %s", #call, strerror(errno));			\
	must_result;							\
})

/* For pthread calls, which return the error. */
#define must0(call) do {						\
	int must_error = (call);					\
	if (must_error)							\
		fail("%s: %s", #call, strerror(must_error));		\
} while (0)

/*
 * Spins until the condition holds, without a system call unless the run is a
 * native one, in which the thread waited for may need this very CPU. A hang is
 * ended by the suite's time limit.
 */
#define spin_until(cond) do {						\
	while (!(cond)) {						\
		if (anywhere)						\
			sched_yield();					\
		else							\
			__builtin_ia32_pause();				\
	}								\
} while (0)

#define load(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Small pages only. A kernel without huge ones (a real-time one has none) does not know the request. */
#define no_huge_pages(address, size) do {				\
	if (madvise(address, size, MADV_NOHUGEPAGE) && errno != EINVAL)	\
		fail("MADV_NOHUGEPAGE: %s", strerror(errno));		\
} while (0)

/*
 * Whether a test that cannot say how often is enough goes on: a limit on rounds,
 * and one on seconds, 0: none. How many rounds there were decides nothing.
 */
static inline int goes_on(long round, long rounds, double start, double seconds)
{
	return round < rounds && (!seconds || now() - start < seconds);
}

/* A number from the command line, or the default when it is not there. */
static inline long argument(int argc, char **argv, int i, long otherwise)
{
	char *end;
	long n;

	if (i >= argc)
		return otherwise;
	n = strtol(argv[i], &end, 0);
	check(!*end && end != argv[i], "argument %d: \"%s\" is not a number", i, argv[i]);
	return n;
}

#endif
