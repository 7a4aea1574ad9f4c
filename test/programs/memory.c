// SPDX-License-Identifier: GPL-2.0
/*
 * memory CASE [rounds [seconds]]: nothing that threads write is lost while Linux
 * moves their memory about.
 *
 * Threads that are away write to a region all the time (memory.h), while the main
 * thread, at home, has Linux do what the case says to just that region:
 *   pageout     it is swapped out
 *   shared      the same, of memory that is shared
 *   limit       nothing: the program was put under a limit below what it needs
 *   collapse    small pages become huge ones, and huge ones small ones
 *   khugepaged  the same, but the kernel's thread makes the huge ones
 *   merge       equal pages become one, and get apart again
 *   compact     pages are moved together, from where they are spread about
 *   move        single pages are moved between two nodes
 *   migrate     the whole process is
 * The kernel's page map tells that pages were gone, or others than before.
 */
#include "where.h"
#include "check.h"
#include "adopt.h"
#include "memory.h"
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define LEAST_ROUNDS	2
#define ACTS		2	/* in a round */
#define SPREAD		24UL	/* pages between two of the region, before compaction */

static int sharing = MAP_PRIVATE | MAP_ANONYMOUS;

/* Mapped, at a multiple of a huge page's size, but not there yet. */
static char *map_region(void)
{
	char *area = must(mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, sharing, -1, 0));
	char *start = (char *)(((uintptr_t)area + HUGE - 1) & -HUGE);

	if (start != area)
		must(munmap(area, start - area));
	must(munmap(start + SIZE, area + HUGE - start));
	no_huge_pages(start, SIZE);
	return start;
}

static void fill_page(unsigned long page)
{
	if (pass == number_pages)
		number_page(page);
	else
		for (unsigned long line = 0; line < LINES; line++)
			*word(page, line) = common(line);
}

static void fill_region(void)
{
	region = map_region();
	for (unsigned long page = 0; page < PAGES; page++)
		fill_page(page);
}

/* Where the pages are: physical page or place in swap. */
static void look(uint64_t entries[PAGES])
{
	static int fd;

	if (!fd)
		fd = must(open("/proc/self/pagemap", O_RDONLY));
	check(pread(fd, entries, PAGES * 8, (uintptr_t)region / PAGE * 8) == PAGES * 8, "pagemap: %s",
	      strerror(errno));
	for (unsigned long page = 0; page < PAGES; page++)
		entries[page] &= 1UL << 63 | 1UL << 62 | ((1UL << 55) - 1);
}

static unsigned long moved_since(const uint64_t before[PAGES])
{
	static uint64_t after[PAGES];
	unsigned long n = 0;

	look(after);
	for (unsigned long page = 0; page < PAGES; page++)
		n += before[page] != after[page];
	return n;
}

static void nothing(unsigned long n)
{
	(void)n;
}

static void share(unsigned long n)
{
	(void)n;
	sharing = MAP_SHARED | MAP_ANONYMOUS;
}

static void page_out(unsigned long n)
{
	(void)n;
	must(madvise(region, SIZE, MADV_PAGEOUT));
}

/* Of each huge page some small one: protected otherwise for a moment, and called cold. */
static void split(unsigned long n)
{
	for (unsigned long page = n * 37 % 512; page < PAGES; page += 512) {
		must(mprotect(region + page * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		must(mprotect(region + page * PAGE, PAGE, PROT_READ | PROT_WRITE));
		must(madvise(region + page * PAGE, PAGE, MADV_COLD));
	}
}

static void allow_huge(unsigned long n)
{
	(void)n;
	must(madvise(region, SIZE, MADV_HUGEPAGE));
}

/* It may find no huge page, or one in use: that it succeeds is seen in the kernel's counters. */
static void collapse(unsigned long n)
{
	if (madvise(region, SIZE, MADV_COLLAPSE))
		check(errno == EAGAIN || errno == EBUSY || errno == ENOMEM, "MADV_COLLAPSE: %s", strerror(errno));
	wait_for_passes();
	split(n);
}

static void allow_merging(unsigned long n)
{
	(void)n;
	must(madvise(region, SIZE, MADV_MERGEABLE));
}

static void unmerge(unsigned long n)
{
	usleep(50000);
	if (n % 8)
		return;
	must(madvise(region, SIZE, MADV_UNMERGEABLE));
	must(madvise(region, SIZE, MADV_MERGEABLE));
}

/* A new region, of which each page lies alone among others that are free. */
static void spread(unsigned long n)
{
	char *between = must(mmap(NULL, SPREAD * SIZE, PROT_READ | PROT_WRITE, sharing, -1, 0));

	(void)n;
	no_huge_pages(between, SPREAD * SIZE);
	must(munmap(region, SIZE));
	region = map_region();
	for (unsigned long page = 0; page < PAGES; page++) {
		fill_page(page);
		for (unsigned long i = 0; i < SPREAD; i++)
			*(volatile char *)(between + (page * SPREAD + i) * PAGE) = 1;
	}
	must(munmap(between, SPREAD * SIZE));
}

static void compact(unsigned long n)
{
	static int fd;

	(void)n;
	if (!fd)
		fd = must(open("/proc/sys/vm/compact_memory", O_WRONLY));
	must(pwrite(fd, "1", 1, 0));
}

/* Neighbours to different nodes. A page that is in use for a moment stays where it is. */
static void move(unsigned long n)
{
	static void *addresses[PAGES];
	static int nodes[PAGES], status[PAGES];
	unsigned long there = 0;

	for (unsigned long page = 0; page < PAGES; page++) {
		addresses[page] = region + page * PAGE;
		nodes[page] = (n + page) % 2;
	}
	must(syscall(SYS_move_pages, 0, PAGES, addresses, nodes, status, MPOL_MF_MOVE));
	for (unsigned long page = 0; page < PAGES; page++)
		there += status[page] == nodes[page];
	check(there, "no page is where it should be; the first has %d", status[0]);
}

static void migrate(unsigned long n)
{
	unsigned long from = 1 << n % 2, to = 2 >> n % 2;

	must(syscall(SYS_migrate_pages, 0, 3, &from, &to));
}

static const struct test {
	const char *name;
	void (*how)(struct writer *self);
	void (*setup)(unsigned long n);		/* before there is a region */
	void (*prepare)(unsigned long round);	/* while the writers stand still */
	void (*act)(unsigned long n);		/* while they write */
} tests[] = {
	{ "pageout", number_pages, nothing, nothing, page_out },
	{ "shared", number_pages, share, nothing, page_out },
	{ "limit", number_pages, nothing, nothing, nothing },
	{ "collapse", number_pages, nothing, allow_huge, collapse },
	{ "khugepaged", number_pages, nothing, allow_huge, split },
	{ "merge", mark_pages, nothing, allow_merging, unmerge },
	{ "compact", number_pages, nothing, spread, compact },
	{ "move", number_pages, nothing, nothing, move },
	{ "migrate", number_pages, nothing, nothing, migrate },
};

static const struct test *find(const char *name)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (!strcmp(tests[i].name, name))
			return &tests[i];
	fail("there is no case \"%s\"", name);
}

int main(int argc, char **argv)
{
	const struct test *t = find(argc > 1 ? argv[1] : "");
	long rounds = argument(argc, argv, 2, 10), round;
	double seconds = argument(argc, argv, 3, 0), start;
	unsigned long moved = 0, gone, elsewhere, away;
	uint64_t before[PAGES];

	t->setup(0);
	pass = t->how;
	fill_region();
	start_writers(t->how);
	start = now();
	for (round = 0; round < LEAST_ROUNDS || goes_on(round, rounds, start, seconds); round++) {
		t->prepare(round);
		begin_phase();
		for (unsigned long i = 0; i < ACTS && !any_lost(); i++) {
			wait_for_passes();
			look(before);
			t->act(round * ACTS + i);
			gone = moved_since(before);
			wait_for_passes();
			elsewhere = moved_since(before);
			moved += gone > elsewhere ? gone : elsewhere;
		}
		end_phase();
		if (any_lost())
			break;
	}
	away = stop_writers();
	check(moved >= PAGES / 8, "only %lu pages of %lu were moved in %ld rounds", moved, PAGES, round);
	fprintf(stderr, "memory: %s: %ld rounds, %lu pages moved, %lu passes away\n", t->name, round, moved, away);
	printf("nothing is lost\n");
	return 0;
}
