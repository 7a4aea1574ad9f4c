// SPDX-License-Identifier: GPL-2.0
/*
 * cowfork [rounds]: fork while another thread of the parent writes without a
 * pause on another CPU. The child's memory is a still picture, the parent's
 * writes are neither lost nor seen by the child, nor the child's by the parent.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096UL
#define PAGES		64UL
#define SIZE		(PAGES * PAGE)

static char *region;
static struct shared {
	uint64_t sweeps;	/* over all pages, by the parent's writer */
	uint64_t child_ready;
} *shared;
static uint64_t own_sweeps, away;
static bool stop;

static volatile uint64_t *word(unsigned long page)
{
	return (uint64_t *)(region + page * PAGE);
}

static void *writer(void *arg)
{
	(void)arg;
	go_away();
	while (!load(&stop)) {
		for (unsigned long i = 0; i < PAGES; i++)
			++*word(i);
		own_sweeps++;
		away += is_away();
		store(&shared->sweeps, own_sweeps);
	}
	return NULL;
}

/* Two more sweeps of the parent: a writer with stale translations has touched all pages. */
static void let_parent_write(void)
{
	uint64_t start = load(&shared->sweeps);

	spin_until(load(&shared->sweeps) >= start + 2);
}

static int child(void)
{
	uint64_t picture[PAGES];

	for (unsigned long i = 0; i < PAGES; i++)
		picture[i] = *word(i);
	let_parent_write();
	for (unsigned long i = 0; i < PAGES; i++) {
		if (*word(i) != picture[i])
			return 2;
		*word(i) = ~0UL;	/* the parent must never see it */
	}
	let_parent_write();
	for (unsigned long i = 0; i < PAGES; i++)
		if (*word(i) != ~0UL)
			return 3;
	return 0;
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 200);
	pthread_t thread;
	int status;

	shared = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	region = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	no_huge_pages(region, SIZE);
	must0(pthread_create(&thread, NULL, writer, NULL));
	let_parent_write();
	for (long i = 0; i < rounds; i++) {
		pid_t pid = must(fork());

		if (!pid)
			_exit(child());
		must(waitpid(pid, &status, 0));
		check(status != 0x200, "round %ld: the child saw the parent's writes", i);
		check(!status, "round %ld: the child ended with status %x", i, status);
	}
	store(&stop, true);
	must0(pthread_join(thread, NULL));
	for (unsigned long i = 0; i < PAGES; i++)
		check(*word(i) == own_sweeps, "page %lu holds %lu after %lu writes", i, *word(i), own_sweeps);
	require_away(away, own_sweeps / 2);
	printf("fork: %lu checks, no write lost or leaked\n", rounds * PAGES * 3 + PAGES);
	return 0;
}
