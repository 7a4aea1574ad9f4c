// SPDX-License-Identifier: GPL-2.0
/*
 * protect [rounds]: memory does not change after mprotect(PROT_READ) has returned,
 * although a thread away has been writing to it without a pause.
 *
 * The writer goes round the pages until its next write faults; only then is it in
 * the handler, where it waits, still without a call, to be let on. A writer with a
 * stale translation goes on writing instead: that is what the main thread looks for.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE		4096UL
#define PAGES		64UL
#define SIZE		(PAGES * PAGE)

static char *region;
static uint64_t writes;		/* how many the writer has made */
static bool waiting, released, stop;
static unsigned long faults_away;
static volatile bool was_away;

static volatile uint64_t *word(unsigned long page)
{
	return (uint64_t *)(region + page * PAGE);
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	check((char *)info->si_addr >= region && (char *)info->si_addr < region + SIZE,
	      "fault at %p", info->si_addr);
	check(info->si_code == SEGV_ACCERR, "si_code %d", info->si_code);
	faults_away += was_away;
	store(&waiting, true);
	spin_until(load(&released));
	store(&released, false);
}

static void *writer(void *arg)
{
	(void)arg;
	go_away();
	while (!load(&stop)) {
		was_away = is_away();
		for (unsigned long i = 0; i < PAGES; i++) {
			++*word(i);
			store(&writes, writes + 1);
		}
	}
	return NULL;
}

static void one_round(void)
{
	uint64_t copy[PAGES], start;

	start = load(&writes);
	spin_until(load(&writes) > start + 2 * PAGES);	/* all translations are in use */
	must(mprotect(region, SIZE, PROT_READ));
	for (unsigned long i = 0; i < PAGES; i++)
		copy[i] = *word(i);
	start = load(&writes);
	/* One write may have been made whose count was not yet stored when the flush came. */
	spin_until(load(&waiting) || load(&writes) > start + 1);
	for (unsigned long i = 0; i < PAGES; i++)
		check(*word(i) == copy[i], "page %lu was written after mprotect", i);
	check(load(&waiting), "the writer goes on after mprotect");
	store(&waiting, false);
	must(mprotect(region, SIZE, PROT_READ | PROT_WRITE));
	store(&released, true);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 1000);
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };
	pthread_t thread;

	region = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	no_huge_pages(region, SIZE);
	must(sigaction(SIGSEGV, &sa, NULL));
	must0(pthread_create(&thread, NULL, writer, NULL));
	for (long i = 0; i < rounds; i++)
		one_round();
	store(&stop, true);
	must0(pthread_join(thread, NULL));
	require_away(faults_away, rounds / 2);
	printf("mprotect: %lu checks, none written\n", rounds * PAGES);
	return 0;
}
