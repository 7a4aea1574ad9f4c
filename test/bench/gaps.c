// SPDX-License-Identifier: GPL-2.0
/*
 * gaps [milliseconds [nanoseconds]]: reads the time-stamp counter without a pause.
 * Where two readings are further apart than so many nanoseconds, something else ran:
 * an interruption.
 */
#include "bench.h"
#include <stdint.h>
#include <x86intrin.h>

#define MAX_GAPS	65536L

static uint64_t gap[MAX_GAPS];

/* Ticks of the counter in a nanosecond. */
static double tick_rate(void)
{
	double start = now(), end;
	uint64_t first = __rdtsc();

	do
		end = now();
	while (end - start < 0.02);
	return (__rdtsc() - first) / (end - start) / 1e9;
}

int main(int argc, char **argv)
{
	long milliseconds = argument(argc, argv, 1, 250);
	long nanoseconds = argument(argc, argv, 2, 5000);
	double rate = tick_rate(), seconds, lost = 0, longest = 0;
	uint64_t limit = nanoseconds * rate, begun, end, last, tsc;
	static struct seen seen;
	long n = 0;

	memset(gap, 0, sizeof(gap));	/* its pages are there */
	see(&seen);
	begun = __rdtsc();
	last = begun;
	end = begun + (uint64_t)(milliseconds * 1e6 * rate);
	while (last < end) {
		tsc = __rdtsc();
		if (tsc - last > limit) {
			if (n < MAX_GAPS)
				gap[n] = tsc - last;
			n++;
			see(&seen);
			tsc = __rdtsc();
		}
		last = tsc;
	}
	see(&seen);
	check(n <= MAX_GAPS, "more than %ld interruptions", MAX_GAPS);
	seconds = (last - begun) / rate / 1e9;
	for (long i = 0; i < n; i++) {
		double ns = gap[i] / rate;

		lost += ns;
		if (ns > longest)
			longest = ns;
		printf("gap %.0f\n", ns);
	}
	printf("ops 1\n");
	print_value("lost-ns/s", lost / seconds);
	print_value("gaps/s", n / seconds);
	print_value("longest-ns", longest);
	print_seen(&seen);
	return 0;
}
