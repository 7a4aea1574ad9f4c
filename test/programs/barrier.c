// SPDX-License-Identifier: GPL-2.0
/*
 * barrier [rounds [hidden]]: membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)
 * restarts the restartable sequences of other CPUs: none that read the version
 * before the call may commit after it. hidden: this Linux shows sequences as not
 * registered to threads that are away (rseq.c).
 */
#include "where.h"
#include "check.h"
#include "sequence.h"
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile uint64_t version = 1, committed;
static int ends;
static unsigned long aborts, away, hidden;

/* Reads the version, takes its time, and writes down what it read; false: aborted. */
static int commit(struct rseq *rs)
{
	if (*(volatile int32_t *)&rs->cpu_id < 0) {
		hidden++;
		committed = version;
		return 1;
	}
	asm goto volatile(
		SEQUENCE_BEGIN
		"1:	mov %[version], %%rax\n"
		"	mov $20000, %%ecx\n"
		"5:	dec %%ecx\n"
		"	jnz 5b\n"
		"	mov %%rax, %[committed]\n"
		SEQUENCE_END(aborted)
		:: [rs] "r"(rs), [version] "m"(version), [committed] "m"(committed),
		   [cs] SEQUENCE_FIELD
		: "rax", "rcx", "memory", "cc" : aborted);
	return 1;
aborted:
	return 0;
}

static void *work(void *arg)
{
	struct rseq *rs = sequence_area();

	go_away();
	while (!load(&ends)) {
		aborts += !commit(rs);
		away += is_away();
	}
	return arg;
}

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 3000);
	int hide = argc > 2 && !strcmp(argv[2], "hidden") && !anywhere;
	pthread_t thread;

	must(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ));
	must0(pthread_create(&thread, NULL, work, NULL));
	spin_until(load(&committed));
	for (long i = 0; i < rounds && !hide; i++) {
		version++;
		must(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ));
		committed = 0;
		spin_until(committed);
		check(committed == version, "round %ld: version %lu was committed after %lu was published",
		      i, committed, version);
	}
	store(&ends, 1);
	must0(pthread_join(thread, NULL));
	check(hide == !!hidden, "%lu commits found no sequences registered", hidden);
	require_away(away, hide ? 1 : rounds);
	fprintf(stderr, "barrier: %lu aborts, %lu passes away\n", aborts, away);
	printf("no sequence survived a barrier\n");
	return 0;
}
