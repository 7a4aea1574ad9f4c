/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that are away write to a region of memory and know at any time what it
 * must hold. Include after check.h and adopt.h; memory.c moves the region about.
 *
 * The main thread, which is at home, lets the writers run in phases: between
 * two of them they stand still and it looks itself at all that they wrote.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#define PAGE		4096UL
#define HUGE		(512 * PAGE)
#define PAGES		1024UL
#define SIZE		(PAGES * PAGE)
#define LINES		64UL	/* of a page, of which each has one word in use */
#define WRITERS		2UL
#define MARKS		64UL

struct writer {
	pthread_t thread;
	unsigned long id;
	unsigned long passes, away;	/* how often it went over its pages; how often it was away all the time */
	unsigned long lost;		/* words that did not hold what it had written last */
	unsigned long bad_page, bad_line;
	uint64_t bad_value, bad_want;
	unsigned long marked, cleared;	/* see mark_pages() */
	unsigned int quiet;		/* last phase that it is done with */
} __attribute__((aligned(128)));

static char *region;
static uint32_t written[PAGES];		/* how often a page was, each by one writer */
static struct writer writers[WRITERS];
static void (*pass)(struct writer *self);
static unsigned int begun, ended;	/* phases */
static bool stopped;

static inline volatile uint64_t *word(unsigned long page, unsigned long line)
{
	return (uint64_t *)(region + page * PAGE + line * (PAGE / LINES));
}

static inline void expect(struct writer *self, unsigned long page, unsigned long line, uint64_t want)
{
	uint64_t value = *word(page, line);

	if (value == want)
		return;
	self->bad_page = page;
	self->bad_line = line;
	self->bad_value = value;
	self->bad_want = want;
	store(&self->lost, self->lost + 1);
}

/* One way to write: every word of every page, another value each time. */

static inline uint64_t numbered(unsigned long page, unsigned long line)
{
	return (uint64_t)written[page] << 32 | page << 8 | line;
}

static inline void expect_numbered(struct writer *self, unsigned long page)
{
	for (unsigned long line = 0; line < LINES; line++)
		expect(self, page, line, numbered(page, line));
}

static inline void number_page(unsigned long page)
{
	for (unsigned long line = 0; line < LINES; line++)
		*word(page, line) = numbered(page, line);
}

static void number_pages(struct writer *self)
{
	for (unsigned long page = self->id; page < PAGES; page += WRITERS) {
		expect_numbered(self, page);
		written[page]++;
		number_page(page);
	}
}

/*
 * Another way, by which most pages are equal most of the time: one word of a page
 * gets a mark, which is taken away again when MARKS other pages have one.
 */

static inline uint64_t common(unsigned long line)
{
	return (line + 1) * 0x9e3779b97f4a7c15;
}

static inline unsigned long marked_page(const struct writer *self, unsigned long n)
{
	return n * 421 % (PAGES / WRITERS) * WRITERS + self->id;
}

static inline unsigned long marked_line(unsigned long n)
{
	return n * 7 % LINES;
}

static inline void clear_mark(struct writer *self)
{
	unsigned long n = self->cleared++;

	expect(self, marked_page(self, n), marked_line(n), n);
	*word(marked_page(self, n), marked_line(n)) = common(marked_line(n));
}

static void mark_pages(struct writer *self)
{
	for (unsigned long i = 0; i < PAGES / WRITERS; i++) {
		unsigned long n = self->marked++;

		expect(self, marked_page(self, n), marked_line(n), common(marked_line(n)));
		*word(marked_page(self, n), marked_line(n)) = n;
		if (self->marked - self->cleared >= MARKS)
			clear_mark(self);
	}
}

static void *writer(void *arg)
{
	struct writer *self = arg;

	adopt_this_thread();
	go_away();
	for (unsigned int phase = 1; ; phase++) {
		spin_until(load(&begun) >= phase || load(&stopped));
		if (load(&stopped))
			return NULL;
		while (load(&ended) < phase) {
			bool away = is_away();

			pass(self);
			self->away += away && is_away();
			store(&self->passes, self->passes + 1);
		}
		while (self->cleared < self->marked)
			clear_mark(self);
		store(&self->quiet, phase);
	}
}

/* For the main thread. */

#define wait_until(cond) do {						\
	while (!(cond))							\
		usleep(500);						\
} while (0)

static inline bool any_lost(void)
{
	for (unsigned long i = 0; i < WRITERS; i++)
		if (load(&writers[i].lost))
			return true;
	return false;
}

static inline void start_writers(void (*how)(struct writer *self))
{
	pass = how;
	for (unsigned long i = 0; i < WRITERS; i++) {
		writers[i].id = i;
		must0(pthread_create(&writers[i].thread, NULL, writer, &writers[i]));
	}
}

static inline void begin_phase(void)
{
	store(&begun, begun + 1);
}

/* Until each writer went over all its pages, from the first to the last. */
static inline void wait_for_passes(void)
{
	for (unsigned long i = 0; i < WRITERS; i++) {
		unsigned long before = load(&writers[i].passes);

		wait_until(load(&writers[i].passes) >= before + 2 || any_lost());
	}
}

/* The writers stand still; the main thread looks for itself. */
static inline void end_phase(void)
{
	static struct writer observer;

	store(&ended, begun);
	for (unsigned long i = 0; i < WRITERS; i++)
		wait_until(load(&writers[i].quiet) == begun);
	for (unsigned long page = 0; page < PAGES; page++) {
		if (pass == number_pages)
			expect_numbered(&observer, page);
		else
			for (unsigned long line = 0; line < LINES; line++)
				expect(&observer, page, line, common(line));
	}
	check(!observer.lost, "%lu words lost, seen at home; page %lu, line %lu: %#lx instead of %#lx",
	      observer.lost, observer.bad_page, observer.bad_line, observer.bad_value, observer.bad_want);
}

/* Ends the writers, and the program unless nothing is lost and they were away. */
static inline unsigned long stop_writers(void)
{
	unsigned long passes = 0, away = 0;

	store(&stopped, true);
	for (unsigned long i = 0; i < WRITERS; i++) {
		struct writer *w = &writers[i];

		must0(pthread_join(w->thread, NULL));
		check(!w->lost, "%lu words lost; page %lu, line %lu: %#lx instead of %#lx", w->lost,
		      w->bad_page, w->bad_line, w->bad_value, w->bad_want);
		passes += w->passes;
		away += w->away;
	}
	require_away(away, passes / 2);
	return away;
}

#endif
