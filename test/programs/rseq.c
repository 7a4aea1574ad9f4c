// SPDX-License-Identifier: GPL-2.0
/*
 * rseq [threads [increments [hidden]]]: per-CPU counters by restartable sequences.
 * Threads on different CPUs must see different CPU numbers, and a thread that loses
 * its CPU inside a sequence must be aborted; else increments get lost.
 *
 * hidden: on this Linux a thread that is away sees that no sequences are registered,
 * and does without as every user of them must be able to.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_THREADS	16
#define MAX_CPUS	64
#define SIGNATURE	"0x53053053"	/* RSEQ_SIG, which the C library registers with */

static volatile uint64_t counter[MAX_CPUS][16];	/* 128 bytes apart */
static uint64_t shared_counter;	/* of those who have no CPU's number */
static long increments;
static pthread_barrier_t together;
static struct worker {
	pthread_t thread;
	unsigned long aborts, away, hidden;
	uint64_t cpus;		/* bit mask of the numbers it saw */
} workers[MAX_THREADS];

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* One increment of the counter of the CPU it runs on; false: aborted. */
static bool increment(struct worker *self, struct rseq *rs)
{
	uint32_t cpu = *(volatile uint32_t *)&rs->cpu_id_start;
	volatile uint64_t *p = &counter[cpu][0];

	if (*(volatile int32_t *)&rs->cpu_id < 0) {
		__atomic_fetch_add(&shared_counter, 1, __ATOMIC_RELAXED);
		self->hidden++;
		return true;
	}
	asm goto volatile(
		"	.pushsection __rseq_cs, \"aw\"\n"
		"	.balign 32\n"
		"3:	.long 0, 0\n"
		"	.quad 1f, 2f - 1f, 4f\n"
		"	.popsection\n"
		"	lea 3b(%%rip), %%rax\n"
		"	mov %%rax, %c[cs](%[rs])\n"
		"1:	cmp %[cpu], %c[id](%[rs])\n"
		"	jne 4f\n"
		"	mov (%[p]), %%rax\n"
		"	mov $30, %%ecx\n"	/* a wide window to lose the CPU in */
		"5:	dec %%ecx\n"
		"	jnz 5b\n"
		"	inc %%rax\n"
		"	mov %%rax, (%[p])\n"
		"2:\n"
		"	.pushsection __rseq_failure, \"ax\"\n"
		"	.byte 0x0f, 0xb9, 0x3d\n"
		"	.long " SIGNATURE "\n"
		"4:	jmp %l[aborted]\n"
		"	.popsection\n"
		:: [rs] "r"(rs), [cpu] "r"(cpu), [p] "r"(p),
		   [cs] "i"(offsetof(struct rseq, rseq_cs)), [id] "i"(offsetof(struct rseq, cpu_id))
		: "rax", "rcx", "memory", "cc" : aborted);
	return true;
aborted:
	return false;
}

static void *work(void *arg)
{
	struct worker *self = arg;
	struct rseq *rs = area();

	pthread_barrier_wait(&together);
	go_away();
	for (long i = 0; i < increments; i++) {
		while (!increment(self, rs))
			self->aborts++;
		if (i % 1024)
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
	bool hide = argc > 3 && !strcmp(argv[3], "hidden") && !anywhere;
	uint64_t sum, cpus = 0;
	unsigned long aborts = 0, away = 0, hidden = 0;

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
	require_away(away, increments / 1024);
	fprintf(stderr, "rseq: CPU numbers %#lx, %lu aborts, %lu without a sequence\n", cpus, aborts,
		hidden);
	printf("%ld threads, no increment lost\n", threads);
	return 0;
}
