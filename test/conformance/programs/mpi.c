// SPDX-License-Identifier: GPL-2.0
/*
 * mpi [bound]: adds up over all ranks; bound: each rank has one CPU in its mask, runs
 * on it, and no other rank has it.
 */
#include <cpuid.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_RANKS	64

static int apic_id(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	return b >> 24;
}

static int only_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) != 1)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return -1;
}

int main(int argc, char **argv)
{
	int rank, ranks, bad = 0, mine[2], all[2 * MAX_RANKS];
	double sum = 0, total;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	for (int i = rank; i < 4000000; i += ranks)
		sum += i % 1013;
	MPI_Allreduce(&sum, &total, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
	mine[0] = only_cpu();
	mine[1] = apic_id();
	MPI_Allgather(mine, 2, MPI_INT, all, 2, MPI_INT, MPI_COMM_WORLD);
	for (int i = 0; argc > 1 && i < ranks; i++) {
		bad += all[2 * i] < 0;
		for (int k = 0; k < i; k++)
			bad += all[2 * i] == all[2 * k] || all[2 * i + 1] == all[2 * k + 1];
	}
	if (!rank) {
		printf("sum %.0f\n", total);
		for (int i = 0; i < ranks; i++)
			fprintf(stderr, "rank %d: mask %d, APIC id %d\n", i, all[2 * i], all[2 * i + 1]);
	}
	MPI_Finalize();
	return bad > 0;
}
