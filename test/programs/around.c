// SPDX-License-Identifier: GPL-2.0
/*
 * around CASE [GROUP]: threads that touch new memory page by page see what they would
 * natively, though pages are served before they are asked for: contents, signals, and,
 * within a bound, what is resident.
 *
 * Output is the same natively and away. The suite looks at the module's count of pages
 * that were served ahead.
 */
#include "where.h"
#include "check.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096UL
#define PAGES	1024UL
#define CREDIT	16UL	/* as module/ahead.c: what may be resident untouched, besides as many as were touched */
#define MOST	256UL	/* likewise: what a thread may have saved up */

static volatile char *region;
static unsigned long pages_touched, touched_away;

static volatile char *map(unsigned long pages, int flags)
{
	char *p = must(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0));

	no_huge_pages(p, pages * PAGE);
	return p;
}

/* Of the kernel's page map. */
#define RESIDENT	(3UL << 62)	/* in memory, be it the zero page, or in swap */
#define EXCLUSIVE	(1UL << 56)	/* mapped by nobody else */

static unsigned long count(volatile char *start, unsigned long pages, uint64_t bits)
{
	static uint64_t entry[8 * PAGES];
	static int fd;
	unsigned long n = 0;

	if (!fd)
		fd = must(open("/proc/self/pagemap", O_RDONLY));
	check(pages <= 8 * PAGES, "%lu pages are too many", pages);
	check(pread(fd, entry, pages * 8, (uintptr_t)start / PAGE * 8) == (ssize_t)pages * 8, "pagemap: %s",
	      strerror(errno));
	for (unsigned long i = 0; i < pages; i++)
		n += (entry[i] & bits) != 0;
	return n;
}

static unsigned long resident(volatile char *start, unsigned long pages)
{
	return count(start, pages, RESIDENT);
}

static void touch(volatile char *p, char value)
{
	check(*p == 0 && p[PAGE - 1] == 0, "a new page holds %d and %d", *p, p[PAGE - 1]);
	*p = value;
}

/* A first write, as a fault has it: nothing is read before. */
static void write_first(unsigned long page)
{
	region[page * PAGE + 1] = (char)(page * 7 + 1);
	touched_away += is_away();
	pages_touched++;
}

static void verify(unsigned long from, unsigned long to)
{
	for (unsigned long i = from; i < to; i++)
		check(region[i * PAGE + 1] == (char)(i * 7 + 1) && !region[i * PAGE] && !region[i * PAGE + PAGE - 1],
		      "page %lu holds %d", i, region[i * PAGE + 1]);
}

static void in_order(unsigned long from, unsigned long to)
{
	for (unsigned long i = from; i < to; i++)
		write_first(i);
}

/* What a single thread may have more than it touched, besides CREDIT. */
static void check_bound(const char *what, unsigned long touched, unsigned long spare, unsigned long of)
{
	unsigned long n = resident(region, of);

	check(n >= touched, "%s: %lu pages are resident, %lu were touched", what, n, touched);
	check(n <= touched + CREDIT + spare, "%s: %lu pages are resident for %lu that were touched", what, n, touched);
}

static void order(void)
{
	region = map(PAGES, MAP_PRIVATE);
	in_order(0, PAGES);
	verify(0, PAGES);
	printf("%lu pages of %lu\n", resident(region, PAGES), PAGES);
}

/* Runs of all lengths, far apart from each other, and then pages in no order. */
static void bound(void)
{
	unsigned long touched = 0, page = 0;

	region = map(8 * PAGES, MAP_PRIVATE);
	for (unsigned long length = 1; length < 80; length += 3) {
		in_order(page, page + length);
		verify(page, page + length);
		touched += length;
		check_bound("runs", touched, touched, 8 * PAGES);
		page += 2 * length + 40;
	}
	check(page < 8 * PAGES, "page %lu is outside", page);
	must(munmap((void *)region, 8 * PAGES * PAGE));
	region = map(8 * PAGES, MAP_PRIVATE);
	for (touched = 0; touched < 2 * PAGES; touched++)
		write_first(touched * 3989 % (8 * PAGES));	/* a prime */
	check_bound("no order", touched, MOST, 8 * PAGES);
	printf("within the bound\n");
}

static sigjmp_buf back;
static siginfo_t seen;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	seen = *info;
	siglongjmp(back, 1);
}

/* In order up to where the mapping ends, is protected or is another. */
static void guard(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	must(sigaction(SIGSEGV, &action, NULL));
	for (unsigned long end = 1; end < 100; end += 9) {
		volatile unsigned long page = 0;

		region = map(128, MAP_PRIVATE);
		must(mprotect((void *)(region + end * PAGE), PAGE, end % 2 ? PROT_NONE : PROT_READ));
		if (!(end % 5))
			must(munmap((void *)(region + end * PAGE), PAGE));
		if (!sigsetjmp(back, 1))
			for (;; page++)
				write_first(page);
		check(page == end && seen.si_addr == (void *)(region + end * PAGE + 1),
		      "signal at page %lu, address %p, not at page %lu", page, seen.si_addr, end);
		verify(0, end);
		printf("page %lu: signal %d, si_code %d, %lu pages behind it\n", page, seen.si_signo, seen.si_code,
		       resident(region + (end + 1) * PAGE, 127 - end));
		munmap((void *)region, 128 * PAGE);
	}
}

/* A thread that has used memory in order, and now all of some in no order, is served pages around those it asks for. */
static void scattered(void)
{
	region = map(2 * PAGES, MAP_PRIVATE);
	in_order(0, PAGES);
	for (unsigned long i = 0; i < PAGES; i++)
		write_first(PAGES + i * 389 % PAGES);	/* a prime */
	verify(0, 2 * PAGES);
	printf("%lu pages\n", resident(region, 2 * PAGES));
}

/* Memory that was given up is new memory again. */
static void dontneed(void)
{
	region = map(PAGES, MAP_PRIVATE);
	for (int round = 0; round < 4; round++) {
		in_order(0, PAGES / 2);
		verify(0, PAGES / 2);
		must(madvise((void *)region, PAGES * PAGE, MADV_DONTNEED));
		check(!resident(region, PAGES), "pages stayed");
		for (unsigned long i = 0; i < PAGES / 4; i++)
			touch(region + i * PAGE, 1);
		must(madvise((void *)region, PAGES * PAGE, MADV_DONTNEED));
	}
	printf("zero again\n");
}

/* New pages in order, up to those that it shares with its parent: they stay shared until it writes to them. */
static void cow_child(unsigned long third)
{
	unsigned long own;

	go_away();
	verify(third, 2 * third);
	in_order(0, third);
	own = count(region + third * PAGE, third, EXCLUSIVE);
	check(!own, "the child has %lu pages of its own that it did not write to", own);
	for (unsigned long i = 0; i < 3 * third; i++)
		region[i * PAGE + 2] = (char)(i + 3);
	for (unsigned long i = 0; i < 3 * third; i++)
		check(region[i * PAGE + 2] == (char)(i + 3), "the child lost page %lu", i);
}

/* What comes after a fork is each one's own, pages that were served ahead as well. */
static void cow(void)
{
	unsigned long third;
	int status;
	pid_t child;

	region = map(PAGES, MAP_PRIVATE);
	for (third = 100; third < 110; third++) {
		in_order(third, 2 * third);
		child = must(fork());
		if (!child) {
			cow_child(third);
			_exit(0);
		}
		must(waitpid(child, &status, 0));
		check(!status, "the child ended with %#x", status);
		in_order(2 * third, 3 * third);
		verify(third, 3 * third);
		for (unsigned long i = 0; i < 3 * third; i++)
			check(!region[i * PAGE + 2], "the child's write shows in page %lu", i);
		must(madvise((void *)region, PAGES * PAGE, MADV_DONTNEED));
	}
	printf("each its own\n");
}

static void lock_on_fault(volatile char *p)
{
	must(syscall(SYS_mlock2, p, PAGES * PAGE, MLOCK_ONFAULT));
}

static void use_in_no_order(volatile char *p)
{
	must(madvise((void *)p, PAGES * PAGE, MADV_RANDOM));
}

static void share(volatile char *p)
{
	must(mmap((void *)p, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

/* Mappings in which exactly the pages that are touched may come, behind one in which others may, too. */
static void exact(void)
{
	static void (*const kinds[])(volatile char *p) = { lock_on_fault, use_in_no_order, share };

	for (unsigned int kind = 0; kind < 3; kind++) {
		for (unsigned long before = 40; before < 75; before += 5) {
			volatile char *special;

			region = map(before + PAGES, MAP_PRIVATE);
			special = region + before * PAGE;
			kinds[kind](special);
			in_order(0, before);
			printf("%u: %lu pages, ", kind, resident(special, PAGES));
			in_order(before, before + 100);
			verify(0, before + 100);
			printf("%lu pages\n", resident(special, PAGES));
			must(munmap((void *)region, (before + PAGES) * PAGE));
		}
	}
}

/* Pages that were only read are no memory, and can be written. */
static void zero(void)
{
	unsigned long sum = 0;

	region = map(PAGES, MAP_PRIVATE);
	for (unsigned long i = 0; i < PAGES; i++) {
		sum += region[i * PAGE + 9];
		touched_away += is_away();
		pages_touched++;
	}
	check(!sum, "new memory is not zero");
	in_order(0, PAGES);
	verify(0, PAGES);
	printf("zero, then written\n");
}

static void file(void)
{
	int fd = must(memfd_create("pages", 0));
	unsigned long sum = 0;

	must(ftruncate(fd, PAGES * PAGE));
	for (unsigned long i = 0; i < PAGES; i++)
		must(pwrite(fd, &i, sizeof(i), i * PAGE));
	region = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	for (unsigned long i = 0; i < PAGES; i++) {
		sum += *(volatile unsigned long *)(region + i * PAGE);
		touched_away += is_away();
		pages_touched++;
	}
	check(sum == PAGES * (PAGES - 1) / 2, "the sum is %lu", sum);
	in_order(0, 100);
	printf("%lu\n", sum);
}

static unsigned long supplied;

static void *supply(void *arg)
{
	static char page[PAGE] __attribute__((aligned(4096)));
	int fd = *(int *)arg;
	struct uffd_msg message;

	while (read(fd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_copy copy = {
			.dst = message.arg.pagefault.address & -PAGE, .src = (uintptr_t)page, .len = PAGE,
		};

		page[5] = (char)((copy.dst - (uintptr_t)region) / PAGE);
		supplied++;
		must(ioctl(fd, UFFDIO_COPY, &copy));
	}
	return NULL;
}

/* The second half of the region is somebody else's to fill, and only page by page. */
static void userfault(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 && errno == ENOSYS) {
		printf("this kernel has no userfaultfd\n");
		return;
	}
	must(fd);
	must(ioctl(fd, UFFDIO_API, &api));
	region = map(128, MAP_PRIVATE);
	range.range.start = (uintptr_t)region + 64 * PAGE;
	range.range.len = 64 * PAGE;
	must(ioctl(fd, UFFDIO_REGISTER, &range));
	must0(pthread_create(&thread, NULL, supply, &fd));
	in_order(0, 100);
	for (unsigned long i = 64; i < 100; i++)
		check(region[i * PAGE + 5] == (char)i, "page %lu holds %d, not what was supplied", i,
		      region[i * PAGE + 5]);
	verify(0, 64);
	printf("%lu pages supplied\n", load(&supplied));
}

/* Both ends of a mapping are in the middle of a block of sixteen pages: nothing is served beside it. */
static void edges(void)
{
	unsigned long base, from, to;

	region = map(PAGES, MAP_PRIVATE);
	base = 512 + -((uintptr_t)region / PAGE) % 16;
	from = base + 5;
	to = base + 27;
	in_order(0, 256);
	must(madvise((void *)(region + 256 * PAGE), (from - 256) * PAGE, MADV_RANDOM));
	must(madvise((void *)(region + to * PAGE), (PAGES - to) * PAGE, MADV_RANDOM));
	write_first(from + 7);
	write_first(to - 5);
	printf("%lu and %lu pages beside it\n", resident(region + base * PAGE, from - base),
	       resident(region + to * PAGE, base + 32 - to));
}

static void write_number(const char *group, const char *name, unsigned long value)
{
	char path[256], text[32];
	int fd, n = snprintf(text, sizeof(text), "%lu", value);

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = must(open(path, O_WRONLY));
	must(write(fd, text, n));
	must(close(fd));
}

static unsigned long read_number(const char *group, const char *name)
{
	char path[256], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = must(open(path, O_RDONLY));
	must(read(fd, text, sizeof(text) - 1));
	must(close(fd));
	return strtoul(text, NULL, 10);
}

/* Near the limit of its control group a thread gets what it asks for and no more. */
static void limit(const char *group)
{
	const unsigned long pages = 512, room = 48, last = 40;

	region = map(PAGES, MAP_PRIVATE);
	resident(region, 1);
	write_number(group, "memory.max", read_number(group, "memory.current") + (pages + room) * PAGE);
	in_order(0, pages - last);
	for (unsigned long i = pages - last; i < pages; i++) {
		write_first(i);
		check(resident(region, PAGES) == i + 1, "%lu pages are resident, %lu were touched",
		      resident(region, PAGES), i + 1);
	}
	verify(0, pages);
	printf("no more than asked for\n");
}

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "order", order }, { "bound", bound }, { "scattered", scattered }, { "edges", edges }, { "guard", guard },
	{ "dontneed", dontneed }, { "cow", cow }, { "exact", exact }, { "zero", zero }, { "file", file },
	{ "userfault", userfault },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	size_t i = 0;

	go_away();
	if (!strcmp(name, "limit") && argc > 2) {
		limit(argv[2]);
	} else {
		while (i < sizeof(tests) / sizeof(*tests) && strcmp(tests[i].name, name))
			i++;
		check(i < sizeof(tests) / sizeof(*tests), "there is no case \"%s\"", name);
		tests[i].run();
	}
	require_away(touched_away, pages_touched / 2);
	return 0;
}
