// SPDX-License-Identifier: GPL-2.0
/*
 * coherence CASE [readers [rounds]]: what readers on other CPUs see after the
 * process has changed its mappings.
 *
 * In every round the readers stand still in a spin loop, with the pages of the
 * last round in their translation caches, while the main thread changes what lies
 * below the region; then each reads every page and compares it with what must be
 * there now. Readers make no system call between two rounds, since coming home
 * would reload their address space and hide a stale translation, and a round of a
 * reader counts only when CPUID says before and after it that it is away.
 *
 * Cases: dontneed, munmap, mremap, remap, truncate, protect.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096UL
#define PAGES		256UL
#define SIZE		(PAGES * PAGE)
#define MAX_READERS	8
#define GENERATIONS	16	/* that the file of the case "remap" holds */

/* What a page holds is base + index * factor. */
static struct expected {
	uint64_t base, factor;
} expected;

static char *region;		/* the readers' view; its address never changes */
static unsigned int go;		/* round the readers may read */
static bool stop;
static struct reader {
	pthread_t thread;
	unsigned int done;	/* last round it has read */
	unsigned long passes, away, stale;
	uint64_t first_bad[3];	/* round, page, value */
} __attribute__((aligned(128))) readers[MAX_READERS];

static volatile uint64_t *word(char *area, unsigned long page)
{
	return (uint64_t *)(area + page * PAGE);
}

static void fill(char *area, uint64_t base)
{
	for (unsigned long i = 0; i < PAGES; i++)
		*word(area, i) = base + i;
}

static void read_region(struct reader *self, unsigned int round)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		uint64_t value = *word(region, i);

		if (value == expected.base + i * expected.factor)
			continue;
		if (!self->stale++) {
			self->first_bad[0] = round;
			self->first_bad[1] = i;
			self->first_bad[2] = value;
		}
	}
}

static void *reader(void *arg)
{
	struct reader *self = arg;

	go_away();
	for (unsigned int round = 1; ; round++) {
		bool away;

		spin_until(load(&go) >= round || load(&stop));
		if (load(&stop))
			return NULL;
		away = is_away();
		read_region(self, round);
		away &= is_away();
		self->away += away;
		self->passes++;
		store(&self->done, round);
	}
}

static void *map_at(void *where, int flags, int fd, off_t offset)
{
	return must(mmap(where, SIZE, PROT_READ | PROT_WRITE, flags | (where ? MAP_FIXED : 0), fd,
			 offset));
}

static void *anonymous(void *where)
{
	return map_at(where, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void nothing_to_set_up(void)
{
}

/* The pages go; the readers must find zeros, and the next time new contents. */
static void dontneed(unsigned int round)
{
	if (round & 1) {
		must(madvise(region, SIZE, MADV_DONTNEED));
		expected = (struct expected){ 0, 0 };
	} else {
		fill(region, (uint64_t)round << 32);
		expected = (struct expected){ (uint64_t)round << 32, 1 };
	}
}

/* The pages are freed, used again at another address, and new ones come to theirs. */
static void remap_anonymous(unsigned int round)
{
	char *reuse = anonymous(NULL);

	must(munmap(region, SIZE));
	fill(reuse, ~0UL);
	anonymous(region);
	fill(region, (uint64_t)round << 32);
	must(munmap(reuse, SIZE));
	expected = (struct expected){ (uint64_t)round << 32, 1 };
}

/* Two sets of pages change places, back and forth, and one gets new contents. */
static char *other;

static void mremap_setup(void)
{
	other = anonymous(NULL);
	fill(other, 1UL << 60);
}

static void mremap_swap(unsigned int round)
{
	char *third = anonymous(NULL);
	uint64_t base;

	must(mremap(region, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, third));
	must(mremap(other, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, region));
	must(mremap(third, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, other));
	base = *word(region, 0);
	fill(other, (uint64_t)round << 32);	/* seen in the next round */
	expected = (struct expected){ base, 1 };
}

/* Each generation of the file's pages carries its number; the region shows one after the other. */
static int file;

static void remap_setup(void)
{
	file = must(memfd_create("generations", 0));
	must(ftruncate(file, GENERATIONS * SIZE));
	for (uint64_t g = 0; g < GENERATIONS; g++) {
		char *view = map_at(NULL, MAP_SHARED, file, g * SIZE);

		fill(view, g << 32);
		must(munmap(view, SIZE));
	}
}

static void remap_file(unsigned int round)
{
	uint64_t g = round * 7 % GENERATIONS;

	map_at(region, MAP_SHARED | MAP_POPULATE, file, g * SIZE);
	expected = (struct expected){ g << 32, 1 };
}

/* The file loses its pages and gets new ones under an unchanged mapping. */
static void truncate_setup(void)
{
	file = must(memfd_create("truncated", 0));
	must(ftruncate(file, SIZE));
	map_at(region, MAP_SHARED, file, 0);
}

static void truncate_file(unsigned int round)
{
	must(ftruncate(file, 0));
	must(ftruncate(file, SIZE));
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t value = ((uint64_t)round << 32) + i;

		check(pwrite(file, &value, sizeof(value), i * PAGE) == sizeof(value), "pwrite: %s",
		      strerror(errno));
	}
	expected = (struct expected){ (uint64_t)round << 32, 1 };
}

/* Contents change through another mapping while this one denies access. */
static char *view;

static void protect_setup(void)
{
	file = must(memfd_create("protected", 0));
	must(ftruncate(file, SIZE));
	map_at(region, MAP_SHARED, file, 0);
	view = map_at(NULL, MAP_SHARED, file, 0);
}

static void protect(unsigned int round)
{
	must(mprotect(region, SIZE, PROT_NONE));
	must(madvise(view, SIZE, MADV_REMOVE));
	fill(view, (uint64_t)round << 32);
	must(mprotect(region, SIZE, PROT_READ));
	expected = (struct expected){ (uint64_t)round << 32, 1 };
}

static const struct test {
	const char *name;
	void (*setup)(void);
	void (*change)(unsigned int round);
} tests[] = {
	{ "dontneed", nothing_to_set_up, dontneed },
	{ "munmap", nothing_to_set_up, remap_anonymous },
	{ "mremap", mremap_setup, mremap_swap },
	{ "remap", remap_setup, remap_file },
	{ "truncate", truncate_setup, truncate_file },
	{ "protect", protect_setup, protect },
};

static const struct test *find(const char *name)
{
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (name && !strcmp(tests[i].name, name))
			return &tests[i];
	fail("no case \"%s\"; there are dontneed, munmap, mremap, remap, truncate, protect",
	     name ? name : "");
}

static void report(const struct test *t, unsigned int count)
{
	unsigned long passes = 0, away = 0, stale = 0;

	for (unsigned int i = 0; i < count; i++) {
		passes += readers[i].passes;
		away += readers[i].away;
		stale += readers[i].stale;
		if (readers[i].stale)
			fprintf(stderr, "reader %u: round %lu, page %lu: %#lx\n", i,
				readers[i].first_bad[0], readers[i].first_bad[1], readers[i].first_bad[2]);
	}
	check(!stale, "%s: %lu stale reads", t->name, stale);
	require_away(away, passes / 2);
	printf("%s: %lu checks, %lu of them away, none stale\n", t->name, passes * PAGES,
	       anywhere ? passes * PAGES : away * PAGES);
}

int main(int argc, char **argv)
{
	const struct test *t = find(argv[1]);
	long count = argument(argc, argv, 2, 1);
	long rounds = argument(argc, argv, 3, 500);

	check(count >= 1 && count <= MAX_READERS, "1 to %d readers", MAX_READERS);
	region = anonymous(NULL);
	t->setup();
	for (long i = 0; i < count; i++)
		must0(pthread_create(&readers[i].thread, NULL, reader, &readers[i]));
	for (unsigned int round = 1; round <= rounds; round++) {
		t->change(round);
		store(&go, round);
		for (long i = 0; i < count; i++)
			spin_until(load(&readers[i].done) >= round);
	}
	store(&stop, true);
	for (long i = 0; i < count; i++)
		must0(pthread_join(readers[i].thread, NULL));
	report(t, count);
	return 0;
}
