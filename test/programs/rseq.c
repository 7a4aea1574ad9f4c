// SPDX-License-Identifier: GPL-2.0
/*
 * rseq [threads [increments [hidden] [faults] [ids]]]: per-CPU counters by
 * restartable sequences. Threads on different CPUs must see different CPU numbers,
 * and a thread that loses its CPU inside a sequence must be aborted; else increments
 * get lost.
 *
 * hidden: on this Linux a thread that is away sees that no sequences are registered,
 *         and does without as every user of them must be able to
 * faults: every sequence has a page fault in its middle, while which others run
 * ids:    counters by concurrency id (mm_cid) instead, if this Linux hands them out:
 *         no two threads that run have the same
 */
#include "where.h"
#include "check.h"
#include "sequence.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE	27
#endif

#define MAX_THREADS	16
#define MAX_CPUS	64
#define LOOK		128	/* increments from one look where it is to the next */
#define PAGE		4096
#define NODE_ID		20	/* in newer definitions of struct rseq */
#define MM_CID		24

static volatile uint64_t counter[MAX_CPUS][16];	/* 128 bytes apart */
static uint64_t shared_counter;	/* of those who have no CPU's number */
static long increments;
static bool faults;
static uint32_t number = offsetof(struct rseq, cpu_id_start), compared = offsetof(struct rseq, cpu_id);
static pthread_barrier_t together;
static struct worker {
	pthread_t thread;
	unsigned long aborts, away, hidden;
	uint64_t cpus;		/* bit mask of the numbers it saw */
} workers[MAX_THREADS];

/* A field of the area, which Linux and the application kernel write. */
static uint32_t field(const struct rseq *rs, uint32_t offset)
{
	return *(const volatile uint32_t *)((const char *)rs + offset);
}

/*
 * No sequences are registered: nothing else may look as if. The thread may come
 * home and leave again between two looks.
 */
static void consistently_hidden(const struct rseq *rs)
{
	for (int i = 0; i < 1000; i++) {
		if ((int32_t)field(rs, offsetof(struct rseq, cpu_id)) >= 0)
			return;
		if (!field(rs, offsetof(struct rseq, cpu_id_start)) && !field(rs, NODE_ID) && !field(rs, MM_CID))
			return;
	}
	fail("no sequences, but CPU %u, node %u, concurrency id %u", field(rs, offsetof(struct rseq, cpu_id_start)),
	     field(rs, NODE_ID), field(rs, MM_CID));
}

/* One increment of the counter of the CPU it runs on, touching a page; false: aborted. */
static bool increment(struct worker *self, struct rseq *rs, const char *page)
{
	uint32_t cpu = field(rs, number) % MAX_CPUS;
	volatile uint64_t *p = &counter[cpu][0];

	if ((int32_t)field(rs, offsetof(struct rseq, cpu_id)) < 0) {
		consistently_hidden(rs);
		__atomic_fetch_add(&shared_counter, 1, __ATOMIC_RELAXED);
		self->hidden++;
		return true;
	}
	asm goto volatile(
		SEQUENCE_BEGIN
		"1:	cmp %[cpu], (%[rs], %[id])\n"
		"	jne 4f\n"
		"	mov (%[p]), %%rax\n"
		"	mov (%[page]), %%cl\n"
		"	mov $30, %%ecx\n"	/* a wide window to lose the CPU in */
		"5:	dec %%ecx\n"
		"	jnz 5b\n"
		"	inc %%rax\n"
		"	mov %%rax, (%[p])\n"
		SEQUENCE_END(aborted)
		:: [rs] "r"(rs), [cpu] "r"(cpu), [p] "r"(p), [page] "r"(page), [id] "r"((uint64_t)compared),
		   [cs] SEQUENCE_FIELD
		: "rax", "rcx", "memory", "cc" : aborted);
	return true;
aborted:
	return false;
}

static void *work(void *arg)
{
	struct worker *self = arg;
	struct rseq *rs = sequence_area();
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED, "mmap: %s", strerror(errno));
	*page = 1;
	pthread_barrier_wait(&together);
	go_away();
	for (long i = 0; i < increments; i++) {
		do {
			if (faults)
				must(madvise(page, PAGE, MADV_DONTNEED));
		} while (!increment(self, rs, page) && ++self->aborts);
		if (i % LOOK)
			continue;
		self->cpus |= 1UL << *(volatile uint32_t *)&rs->cpu_id_start;
		self->away += is_away();
		if (i % 16384 == 0)
			syscall(SYS_getppid);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 1, 6);
	bool hide = false;
	uint64_t sum, cpus = 0;
	unsigned long aborts = 0, away = 0, hidden = 0;

	for (int i = 3; i < argc; i++) {
		hide |= !strcmp(argv[i], "hidden") && !anywhere;
		faults |= !strcmp(argv[i], "faults");
		if (!strcmp(argv[i], "ids") && getauxval(AT_RSEQ_FEATURE_SIZE) >= MM_CID + 4)
			number = compared = MM_CID;
	}
	increments = argument(argc, argv, 2, 200000);
	check(threads >= 1 && threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	check(__rseq_size, "the C library registered no restartable sequences");
	must0(pthread_barrier_init(&together, NULL, threads));
	for (long i = 0; i < threads; i++)
		must0(pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	for (long i = 0; i < threads; i++) {
		must0(pthread_join(workers[i].thread, NULL));
		aborts += workers[i].aborts;
		away += workers[i].away;
		hidden += workers[i].hidden;
		cpus |= workers[i].cpus;
	}
	sum = shared_counter;
	for (int i = 0; i < MAX_CPUS; i++)
		sum += counter[i][0];
	check(sum == (uint64_t)threads * increments, "%ld increments were made, %lu are counted",
	      threads * increments, sum);
	check(hide == !!hidden, "%lu increments found no sequences registered", hidden);
	require_away(away, increments / LOOK);
	fprintf(stderr, "rseq: CPU numbers %#lx, %lu aborts, %lu without a sequence\n", cpus, aborts,
		hidden);
	printf("%ld threads, no increment lost\n", threads);
	return 0;
}
