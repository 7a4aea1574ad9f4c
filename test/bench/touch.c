// SPDX-License-Identifier: GPL-2.0
/*
 * touch [rounds [pages]]: the first write to pages of anonymous memory, small ones:
 * one page fault each.
 */
#include "bench.h"

#define PAGE	4096L

static double touch(long pages, struct seen *seen)
{
	volatile char *region = must(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	double start, spent;

	no_huge_pages((void *)region, pages * PAGE);
	start = now();
	for (long i = 0; i < pages; i++)
		region[i * PAGE] = 1;
	spent = now() - start;
	see(seen);
	for (long i = 0; i < pages; i++)
		check(region[i * PAGE] == 1 && region[i * PAGE + 1] == 0, "page %ld holds something else", i);
	must(munmap((void *)region, pages * PAGE));
	return spent;
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 16);
	long pages = argument(argc, argv, 2, 256);
	static struct seen seen;
	double spent = 0;

	check(rounds > 0 && pages > 0, "at least one page");
	for (long i = 0; i < rounds; i++)
		spent += touch(pages, &seen);
	print_time(spent, rounds * pages);
	print_seen(&seen);
	return 0;
}
