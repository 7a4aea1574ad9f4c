// SPDX-License-Identifier: GPL-2.0
/*
 * dirtybits protect|cold|refs|pageout [rounds [seconds]]: Linux knows of every page that a
 * thread wrote to while it changed the page's table entry.
 *
 * In every round all pages of a region are made clean (MADV_FREE). Then a thread
 * that is away writes once to each, while the main thread has Linux change their
 * entries: other permissions, or a cleared accessed bit, or reclaim. The processor
 * marks a page dirty in its entry at the first write to it; when that mark is lost,
 * so is what was written, sooner or later. After the round every page must count
 * as dirty (smaps), or, reclaimed, hold what was written.
 */
#include "where.h"
#include "check.h"
#include "adopt.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096UL
#define PAGES		128UL
#define SIZE		(PAGES * PAGE)

static char *region;
static unsigned int go, done;	/* rounds */
static uint64_t span;		/* TSC cycles from a round's begin to the end of Linux's work */
static bool stop;
static unsigned long rounds_away;

static volatile uint64_t *word(unsigned long page)
{
	return (uint64_t *)(region + page * PAGE);
}

/* Some time within what Linux takes, other in every round. */
static void wait_a_little(unsigned int round)
{
	uint64_t start = __builtin_ia32_rdtsc(), limit = load(&span);

	limit = limit * (round * 2654435761u >> 16 & 0xff) >> 8;
	while (__builtin_ia32_rdtsc() - start < limit)
		__builtin_ia32_pause();
}

static void *writer(void *unused)
{
	(void)unused;
	adopt_this_thread();
	go_away();
	for (unsigned int round = 1; ; round++) {
		bool away;

		spin_until(load(&go) >= round || load(&stop));
		if (load(&stop))
			return NULL;
		wait_a_little(round);
		away = is_away();
		for (unsigned long i = PAGES; i--; )	/* against Linux's direction: they meet */
			*word(i) = round;
		rounds_away += away && is_away();
		store(&done, round);
	}
}

static void protect(unsigned int round)
{
	must(mprotect(region, SIZE, PROT_READ | PROT_WRITE | (round & 1 ? PROT_EXEC : 0)));
}

static void cold(unsigned int round)
{
	(void)round;
	must(madvise(region, SIZE, MADV_COLD));
}

static void refs(unsigned int round)
{
	static int fd;

	(void)round;
	if (!fd)
		fd = must(open("/proc/self/clear_refs", O_WRONLY));
	must(pwrite(fd, "1", 1, 0));
}

static void pageout(unsigned int round)
{
	(void)round;
	must(madvise(region, SIZE, MADV_PAGEOUT));
}

/* How many pages of the region Linux takes for dirty. */
static unsigned long dirty_pages(void)
{
	unsigned long start, end, kib, dirty = 0;
	char line[256];
	bool ours = false;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	check(smaps, "smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			ours = start <= (unsigned long)region && (unsigned long)region < end;
		else if (ours && (sscanf(line, "Private_Dirty: %lu", &kib) == 1))
			dirty += kib * 1024 / PAGE;
	}
	fclose(smaps);
	return dirty;
}

static unsigned long written_pages(unsigned int round)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < PAGES; i++)
		n += *word(i) == round;
	return n;
}

static const struct change {
	const char *name;
	void (*make)(unsigned int round);
} changes[] = {
	{ "protect", protect }, { "cold", cold }, { "refs", refs }, { "pageout", pageout }
};

static const struct change *find(const char *name)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		if (!strcmp(changes[i].name, name))
			return &changes[i];
	fail("\"%s\" is none of protect, cold, refs, pageout", name);
}

/* Every page is there, clean, and has been read. */
static void clean(void)
{
	for (unsigned long i = 0; i < PAGES; i++)
		*word(i) = 0;
	must(madvise(region, SIZE, MADV_FREE));
	for (unsigned long i = 0; i < PAGES; i++)
		(void)*word(i);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argument(argc, argv, 2, 500), round;
	double seconds = argument(argc, argv, 3, 0), begin;
	const struct change *change = find(argc > 1 ? argv[1] : "");
	unsigned long lost = 0;
	pthread_t thread;

	/* Neighbours that differ keep the region an entry of its own in smaps. */
	region = must(mmap(NULL, SIZE + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	region += PAGE;
	must(mprotect(region, SIZE, PROT_READ | PROT_WRITE));
	no_huge_pages(region, SIZE);
	must0(pthread_create(&thread, NULL, writer, NULL));
	begin = now();
	for (round = 0; !lost && goes_on(round, rounds, begin, seconds); ) {
		uint64_t start;

		round++;
		clean();
		start = __builtin_ia32_rdtsc();
		store(&go, round);
		change->make(round);
		store(&span, __builtin_ia32_rdtsc() - start);
		spin_until(load(&done) == round);
		lost += PAGES - (change->make == pageout ? written_pages(round) : dirty_pages());
	}
	store(&stop, true);
	must0(pthread_join(thread, NULL));
	check(!lost, "%lu of %lu writes are unknown to Linux", lost, round * PAGES);
	require_away(rounds_away, round / 2);
	fprintf(stderr, "dirtybits: %lu checks\n", round * PAGES);
	printf("every write is known to Linux\n");
	return 0;
}
