// SPDX-License-Identifier: GPL-2.0
/*
 * topentry [rounds]: mappings so far apart that each needs an entry of its own in
 * the top-level page table, made and removed while another thread is away.
 *
 * The steps are 512 GiB (an entry of the top level with four levels of page
 * tables) and, where the processor has five, also 256 TiB. For each the reader
 * reads a new mapping, sees new contents after it was replaced, and faults with
 * the exact address after it was removed together with its page tables. Reads
 * count when CPUID says on both sides that the reader is away: one that can read a
 * new entry only at home never gets there.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096UL
#define STEPS		16
#define REUSES		8
#define POISON		0xbadbadbadbadbadb
#define GRACE_PERIOD	30000	/* microseconds: Linux frees page tables when an RCU grace period is over */
#define FOUR_LEVELS	(1UL << 39)	/* 512 GiB */
#define FIVE_LEVELS	(1UL << 48)	/* 256 TiB */
#define TRIES		100000		/* reads until one must have been away on both sides */

enum order { WAIT, READ, FAULT, QUIT };

static struct request {
	enum order order;
	volatile uint64_t *address;
	uint64_t value;
	unsigned int number, answered;
} request;
static sigjmp_buf back;
static void *fault_address;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fault_address = info->si_addr;
	siglongjmp(back, 1);
}

/* Reads until one read was made away from begin to end. */
static void read_away(volatile uint64_t *p, uint64_t want)
{
	for (int i = 0; i < TRIES; i++) {
		bool before = is_away();
		uint64_t value = *p;

		check(value == want, "%p holds %#lx, not %#lx", (void *)p, value, want);
		if (anywhere || (before && is_away()))
			return;
		if (!before)
			go_away();
	}
	fprintf(stderr, "topentry: %p can only be read at home\n", (void *)p);
	exit(EXIT_NOT_AWAY);
}

static void expect_fault(volatile uint64_t *p)
{
	fault_address = NULL;
	if (!sigsetjmp(back, 1)) {
		uint64_t value = *p;

		fail("%p can be read after munmap: %#lx", (void *)p, value);
	}
	check(fault_address == p, "si_addr %p, not %p", fault_address, (void *)p);
}

static void *reader(void *arg)
{
	(void)arg;
	go_away();
	for (unsigned int number = 1; ; number++) {
		spin_until(load(&request.number) == number);
		if (request.order == READ)
			read_away(request.address, request.value);
		else if (request.order == FAULT)
			expect_fault(request.address);
		store(&request.answered, number);
		if (request.order == QUIT)
			return NULL;
	}
}

static void ask(enum order order, volatile uint64_t *address, uint64_t value)
{
	unsigned int number = request.number + 1;

	request.order = order;
	request.address = address;
	request.value = value;
	store(&request.number, number);
	spin_until(load(&request.answered) == number);
}

static volatile uint64_t *map(uint64_t where)
{
	return mmap((void *)where, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/*
 * Makes or removes mappings that need as many page tables as the one just
 * removed, at the same place in them: one is likely to get the freed tables. A
 * reader whose top-level entry is stale then reads its contents at the old address.
 */
static void reuse_tables(uint64_t where, uint64_t step, bool make)
{
	for (int i = 1; i <= REUSES; i++) {
		void *at = (void *)(where + (STEPS + i) * step);

		if (!make)
			munmap(at, PAGE);	/* some may not be there */
		else if (map((uint64_t)at) == at)
			*(volatile uint64_t *)at = POISON;
	}
}

/* Returns false when the address is taken or beyond the processor's reach. */
static bool one_step(uint64_t where, uint64_t step, uint64_t value)
{
	volatile uint64_t *p = map(where);

	if (p == MAP_FAILED)
		return false;
	*p = value;
	ask(READ, p, value);
	must(munmap((void *)p, PAGE));
	check(map(where) == p, "cannot map %#lx again", where);
	*p = value + 1;
	ask(READ, p, value + 1);
	must(munmap((void *)p, PAGE));
	usleep(GRACE_PERIOD);
	reuse_tables(where, step, true);
	ask(FAULT, p, 0);
	reuse_tables(where, step, false);
	return true;
}

static unsigned long steps_of(uint64_t size, long rounds)
{
	unsigned long made = 0;

	for (long round = 0; round < rounds; round++)
		for (uint64_t i = 1; i <= STEPS; i++)
			made += one_step(size * (i + 1) + 0x7000000, size, round * 1000 + i);
	return made;
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 5);
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	unsigned long four, five;
	pthread_t thread;

	must(sigaction(SIGSEGV, &sa, NULL));
	must0(pthread_create(&thread, NULL, reader, NULL));
	four = steps_of(FOUR_LEVELS, rounds);
	five = steps_of(FIVE_LEVELS, rounds);
	ask(QUIT, NULL, 0);
	must0(pthread_join(thread, NULL));
	check(four, "no mapping could be made at steps of 512 GiB");
	fprintf(stderr, "topentry: %lu steps of 512 GiB, %lu of 256 TiB\n", four, five);
	printf("top-level entries appear and disappear, %ld rounds\n", rounds);
	return 0;
}
