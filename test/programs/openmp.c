// SPDX-License-Identifier: GPL-2.0
/*
 * openmp CPUS: OpenMP starts a thread for each CPU and, with OMP_PROC_BIND=true and
 * OMP_PLACES=threads, binds each to one of its own.
 */
#include "where.h"
#include "check.h"
#include <omp.h>

#define MAX_THREADS	64

int main(int argc, char **argv)
{
	long cpus = argument(argc, argv, 1, 1);
	unsigned int apic[MAX_THREADS];
	int threads = 0, places = omp_get_num_places();
	double sum = 0;

	check(cpus <= MAX_THREADS, "at most %d CPUs", MAX_THREADS);
#pragma omp parallel reduction(+ : sum)
	{
#pragma omp single
		threads = omp_get_num_threads();
		for (int i = omp_get_thread_num(); i < 3000000; i += threads)
			sum += 1.0 / (1 + i % 7);
		apic[omp_get_thread_num()] = apic_id();
	}
	check(threads == cpus && places == cpus && omp_get_num_procs() == cpus,
	      "%d threads, %d places, %d processors, not %ld", threads, places, omp_get_num_procs(), cpus);
	for (int i = 0; i < threads; i++) {
		for (int k = 0; k < i; k++)
			check(apic[i] != apic[k], "threads %d and %d are on one CPU", i, k);
	}
	printf("sum %.0f\n", sum);
	return 0;
}
