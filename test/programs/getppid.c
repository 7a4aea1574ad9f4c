// SPDX-License-Identifier: GPL-2.0
/*
 * getppid [batches [calls]]: nanoseconds a raw getppid takes from where the thread
 * runs: minimum, median and mean over the batches, on stdout.
 */
#include "where.h"
#include "check.h"
#include <sys/syscall.h>

static inline long raw(long number)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	return result;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long batches = argument(argc, argv, 1, 20);
	long calls = argument(argc, argv, 2, 2000);
	double *ns, sum = 0;
	long away = 0;

	check(batches > 0 && calls > 0, "at least one batch of one call");
	ns = calloc(batches, sizeof(*ns));
	check(ns, "no memory for %ld batches", batches);
	raw(SYS_getppid);
	for (long b = 0; b < batches; b++) {
		double start = now();

		for (long i = 0; i < calls; i++)
			raw(SYS_getppid);
		ns[b] = (now() - start) / calls * 1e9;
		sum += ns[b];
		away += is_away();
	}
	qsort(ns, batches, sizeof(*ns), compare);
	printf("getppid: min %.0f median %.0f mean %.0f ns, %ld of %ld batches ended away\n", ns[0],
	       ns[batches / 2], sum / batches, away, batches);
	return 0;
}
