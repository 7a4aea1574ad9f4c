/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a benchmark prints, one thing a line, and nothing else:
 *
 *   value UNIT NUMBER   what was measured, once for each unit
 *   ops NUMBER          how many operations it is the mean of
 *   seen APICID PASSES  passes that were found on that CPU, as CPUID says
 *   gap NANOSECONDS     one interruption
 *   result TEXT         must be the same natively and adopted
 *
 * apkern bench reads it (internal/bench/runner) and decides by "seen" whether the run
 * was where it should be. A wrong result ends a program with status 1.
 */
#ifndef BENCH_H
#define BENCH_H

#include "../programs/where.h"
#include "../programs/check.h"

#define MAX_SEEN 256

/* The CPUs that passes were found on. One a thread: nothing is locked. */
struct seen {
	unsigned int n;
	unsigned int id[MAX_SEEN];
	long passes[MAX_SEEN];
};

static inline void see_id(struct seen *s, unsigned int id, long passes)
{
	unsigned int i = 0;

	while (i < s->n && s->id[i] != id)
		i++;
	check(i < MAX_SEEN, "more than %d CPUs", MAX_SEEN);
	if (i == s->n) {
		s->id[i] = id;
		s->passes[i] = 0;
		s->n++;
	}
	s->passes[i] += passes;
}

/* Counts a pass of the calling thread. */
static inline void see(struct seen *s)
{
	see_id(s, apic_id(), 1);
}

static inline void see_all(struct seen *s, const struct seen *other)
{
	for (unsigned int i = 0; i < other->n; i++)
		see_id(s, other->id[i], other->passes[i]);
}

static inline void print_seen(const struct seen *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		printf("seen %u %ld\n", s->id[i], s->passes[i]);
}

static inline void print_value(const char *unit, double value)
{
	printf("value %s %.17g\n", unit, value);
}

/* The time of one of `ops` operations. */
static inline void print_time(double seconds, long ops)
{
	printf("ops %ld\n", ops);
	print_value("ns/op", seconds / ops * 1e9);
}

#endif
