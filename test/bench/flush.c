// SPDX-License-Identifier: GPL-2.0
/*
 * flush mprotect|munmap THREADS [rounds]: a change of page tables by the main thread,
 * which stays at home, while THREADS others spin in the same memory: each change must
 * be made known to them. They ask to be adopted themselves, unless WHERE=any.
 */
#include "bench.h"
#include "../programs/adopt.h"
#include <pthread.h>
#include <stdbool.h>

#define PAGE		4096UL
#define MAX_THREADS	256

static volatile long *region;
static bool stop;
static unsigned int ready;
static struct seen seen[MAX_THREADS + 1];

static void *spin(void *arg)
{
	struct seen *mine = arg;

	adopt_this_thread();
	go_away();
	__atomic_add_fetch(&ready, 1, __ATOMIC_ACQ_REL);
	while (!load(&stop)) {
		for (int i = 0; i < 1000; i++)
			(void)*region;
		see(mine);
	}
	return NULL;
}

/* Takes away the right to write a page that was just written, and gives it back. */
static double protect(long round)
{
	double start, spent;

	*region = round;
	start = now();
	must(mprotect((void *)region, PAGE, PROT_READ));
	spent = now() - start;
	check(*region == round, "the page holds %ld in round %ld", *region, round);
	must(mprotect((void *)region, PAGE, PROT_READ | PROT_WRITE));
	return spent;
}

static double unmap(long round)
{
	volatile long *page = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	double start, spent;

	check(!*page, "a new page holds %ld", *page);
	*page = round + 1;
	start = now();
	must(munmap((void *)page, PAGE));
	spent = now() - start;
	return spent;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "mprotect";
	long threads = argument(argc, argv, 2, 0);
	long rounds = argument(argc, argv, 3, 200);
	double (*change)(long round) = strcmp(what, "munmap") ? protect : unmap;
	pthread_t thread[MAX_THREADS];
	double spent = 0;

	check(threads >= 0 && threads <= MAX_THREADS && rounds > 0, "0 to %d threads, at least one round", MAX_THREADS);
	region = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	*region = 0;
	for (long i = 0; i < threads; i++)
		must0(pthread_create(&thread[i], NULL, spin, &seen[1 + i]));
	spin_until(load(&ready) == threads);
	for (long i = 0; i < rounds; i++) {
		spent += change(i);
		if (!threads)
			see(&seen[0]);
	}
	store(&stop, true);
	for (long i = 0; i < threads; i++) {
		must0(pthread_join(thread[i], NULL));
		see_all(&seen[0], &seen[1 + i]);
	}
	print_time(spent, rounds);
	print_seen(&seen[0]);
	return 0;
}
