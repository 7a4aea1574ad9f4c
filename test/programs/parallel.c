// SPDX-License-Identifier: GPL-2.0
/*
 * parallel [-p] [workers [rounds]]: workers run on application CPUs, all at the
 * same time, each on one of its own.
 *
 * In a round every worker publishes the APIC id it sees between two spinning
 * rendezvous that all workers must reach: workers that share a CPU, or that run
 * one after the other, publish equal ids. Rounds in which all ids differ and all
 * are away count; some may not, since a page fault or a timer can take a worker
 * home for a moment. With -p the workers are processes.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORKERS	64
#define PATIENCE	1000	/* rounds made for each that must count */

static struct shared {
	unsigned int arrived;
	unsigned int round;
	unsigned int id[MAX_WORKERS];
	long apart;
} *shared;

static unsigned int workers;
static long rounds;

/* Sense by counting up: everybody waits for the last one to raise the round. */
static void rendezvous(void)
{
	unsigned int round = load(&shared->round);

	if (__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_ACQ_REL) == workers) {
		store(&shared->arrived, 0);
		store(&shared->round, round + 1);
		return;
	}
	spin_until(load(&shared->round) != round);
}

static bool all_apart(void)
{
	for (unsigned int i = 0; i < workers; i++) {
		if (is_home_apic(shared->id[i]))
			return false;
		for (unsigned int j = 0; j < i; j++)
			if (shared->id[i] == shared->id[j])
				return false;
	}
	return true;
}

static void *work(void *arg)
{
	unsigned int self = (unsigned long)arg;
	long made = 0;

	go_away();
	rendezvous();
	while (shared->apart < rounds && made++ < rounds * PATIENCE) {
		rendezvous();
		shared->id[self] = apic_id();
		rendezvous();
		if (self == 0 && all_apart())
			shared->apart++;
		rendezvous();
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t thread[MAX_WORKERS];

	for (unsigned long i = 0; i < workers; i++)
		must0(pthread_create(&thread[i], NULL, work, (void *)i));
	for (unsigned int i = 0; i < workers; i++)
		must0(pthread_join(thread[i], NULL));
}

static void run_processes(void)
{
	int status;

	for (unsigned long i = 0; i < workers; i++)
		if (!must(fork())) {
			work((void *)i);
			exit(0);
		}
	for (unsigned int i = 0; i < workers; i++) {
		must(wait(&status));
		if (status)
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
}

int main(int argc, char **argv)
{
	bool processes = argc > 1 && !strcmp(argv[1], "-p");

	argc -= processes;
	argv += processes;
	workers = argument(argc, argv, 1, 3);
	rounds = argument(argc, argv, 2, 1000);
	check(workers >= 1 && workers <= MAX_WORKERS, "1 to %d workers", MAX_WORKERS);
	shared = must(mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	if (processes)
		run_processes();
	else
		run_threads();
	require_away(shared->apart, rounds);
	printf("%u %s on CPUs of their own at the same time, %ld rounds\n", workers,
	       processes ? "processes" : "threads", rounds);
	return 0;
}
