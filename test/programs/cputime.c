// SPDX-License-Identifier: GPL-2.0
/*
 * cputime [milliseconds]: time away counts as CPU time of the thread and of the
 * process on every clock that tells it. The bounds are wide: a thread that spins
 * for a second must be charged for at least half of it, and for no more than a
 * second and a half.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double clock_of(clockid_t id)
{
	struct timespec t;

	must(clock_gettime(id, &t));
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static double usage(int who)
{
	struct rusage u;

	must(getrusage(who, &u));
	return u.ru_utime.tv_sec + u.ru_utime.tv_usec * 1e-6 + u.ru_stime.tv_sec +
	       u.ru_stime.tv_usec * 1e-6;
}

static double process_clock(void)	{ return clock_of(CLOCK_PROCESS_CPUTIME_ID); }
static double thread_clock(void)	{ return clock_of(CLOCK_THREAD_CPUTIME_ID); }
static double usage_self(void)		{ return usage(RUSAGE_SELF); }
static double usage_thread(void)	{ return usage(RUSAGE_THREAD); }

static double times_self(void)
{
	struct tms t;

	must(times(&t));
	return (double)(t.tms_utime + t.tms_stime) / sysconf(_SC_CLK_TCK);
}

static const struct clock {
	const char *name;
	double (*read)(void);
} clocks[] = {
	{ "CLOCK_PROCESS_CPUTIME_ID", process_clock },
	{ "CLOCK_THREAD_CPUTIME_ID", thread_clock },
	{ "getrusage(RUSAGE_SELF)", usage_self },
	{ "getrusage(RUSAGE_THREAD)", usage_thread },
	{ "times()", times_self },
};

#define CLOCKS	(sizeof(clocks) / sizeof(*clocks))

/* Spins and returns for how long it did so away. */
static double spin(double seconds)
{
	double start = now(), last = start, away = 0;

	while (last < start + seconds) {
		double t = now();

		if (is_away())
			away += t - last;
		last = t;
	}
	return away;
}

static void bounded(const char *name, double charged, double spun)
{
	fprintf(stderr, "cputime: %s: %.3f s of %.3f s\n", name, charged, spun);
	check(charged >= spun / 2 && charged <= spun * 1.5, "%s: %.3f s charged for %.3f s", name,
	      charged, spun);
	printf("%s: charged\n", name);
}

int main(int argc, char **argv)
{
	double seconds = argument(argc, argv, 1, 1000) * 1e-3;
	double before[CLOCKS], start, children;

	go_away();
	for (unsigned int i = 0; i < CLOCKS; i++)
		before[i] = clocks[i].read();
	start = now();
	if (spin(seconds) < seconds / 2 && !anywhere)
		require_away(0, 1);
	start = now() - start;
	for (unsigned int i = 0; i < CLOCKS; i++)
		bounded(clocks[i].name, clocks[i].read() - before[i], start);
	children = usage(RUSAGE_CHILDREN);
	start = now();
	if (!must(fork())) {
		spin(seconds);
		_exit(0);
	}
	must(wait(NULL));
	bounded("getrusage(RUSAGE_CHILDREN)", usage(RUSAGE_CHILDREN) - children, now() - start);
	return 0;
}
