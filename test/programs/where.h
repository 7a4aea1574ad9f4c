/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the calling thread runs, as the CPU itself says.
 *
 * A test that passes natively as well proves nothing, so programs establish by
 * CPUID that their threads are away before they check anything. CPUID neither
 * enters the kernel nor asks the C library, so nothing can be made up on the way.
 *
 * Environment:
 *   WHERE=any      do not insist on being away (the native half of a comparison)
 *   HOME_APICS=n   bit mask of the APIC ids of Linux's own CPUs; default 1
 *   AWAY_SECONDS=n how long a thread tries to leave before the program gives up; default 30
 */
#ifndef WHERE_H
#define WHERE_H

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_NOT_AWAY	99	/* the suite tells it from a wrong result */

/* The APIC id by CPUID leaf 0xb where there is one, else by leaf 1. */
static inline unsigned int apic_id(void)
{
	unsigned int a, b, c, d;

	__cpuid(0, a, b, c, d);
	if (a >= 0xb) {
		__cpuid_count(0xb, 0, a, b, c, d);
		if (b)
			return d;
	}
	__cpuid(1, a, b, c, d);
	return b >> 24;
}

static unsigned long home_apics = 1;
static int anywhere;
static double away_seconds = 30;

/* Runs before main(), so that threads only ever read the three. */
__attribute__((constructor)) static void where_init(void)
{
	const char *where = getenv("WHERE");
	const char *home = getenv("HOME_APICS");
	const char *seconds = getenv("AWAY_SECONDS");

	anywhere = where && !strcmp(where, "any");
	if (home)
		home_apics = strtoul(home, NULL, 0);
	if (seconds)
		away_seconds = strtod(seconds, NULL);
}

static inline int is_home_apic(unsigned int id)
{
	return id < 64 && (home_apics >> id & 1);
}

/* Is the calling thread on an application CPU at this moment? */
static inline int is_away(void)
{
	return !is_home_apic(apic_id());
}

/* Seconds of the monotonic clock: the vDSO answers, no system call is made. */
static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/*
 * Spins, without a system call, until the thread is away; any interrupt on the
 * home CPU lets a thread leave. Ends the program when that never happens.
 */
static inline void go_away(void)
{
	double end;

	if (anywhere || is_away())
		return;
	end = now() + away_seconds;
	while (!is_away()) {
		if (now() < end)
			continue;
		fprintf(stderr, "%s: a thread never left the home CPU (APIC id %u)\n",
			program_invocation_short_name, apic_id());
		exit(EXIT_NOT_AWAY);
	}
}

/* Ends the program unless `away` of `all` passes were made away. */
static inline void require_away(unsigned long away, unsigned long all)
{
	if (anywhere || away >= all)
		return;
	fprintf(stderr, "%s: only %lu passes were away, %lu are needed\n",
		program_invocation_short_name, away, all);
	exit(EXIT_NOT_AWAY);
}

#endif
