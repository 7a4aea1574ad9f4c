// SPDX-License-Identifier: GPL-2.0
/*
 * radix [threads [keys]]: sorts whole numbers by their digits, least first, as the
 * program RADIX of SPLASH-2 does: each thread counts the digits of its keys, the counts
 * are summed over digits and threads, and each thread moves its keys to their places.
 * The keys are made by the threads; the order is checked in the end.
 */
#include "parallel.h"

#define RADIX	1024		/* values of a digit */
#define LIMIT	524288		/* keys are below */
#define DIGITS	2

static long keys = 262144;
static unsigned int *from, *to;
static int (*counts)[RADIX];	/* of each thread; then the places of its keys */
static int starts[RADIX];	/* how many keys are before each digit's */
static unsigned long before;	/* the sum of all keys */
static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;

static long first_of(long n, int me)
{
	return n * me / threads;
}

/* Keys that depend on their places alone, by whichever threads they are made. */
static unsigned int key_at(long i)
{
	unsigned long x = (i + 1) * 0x9e3779b97f4a7c15UL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
	return (x >> 32) % LIMIT;
}

static void make_keys(int me)
{
	unsigned long sum = 0;

	for (long i = first_of(keys, me); i < first_of(keys, me + 1); i++)
		sum += from[i] = key_at(i);
	pthread_mutex_lock(&sum_lock);
	before += sum;
	pthread_mutex_unlock(&sum_lock);
}

static int digit(unsigned int key, int d)
{
	return key / (d ? RADIX : 1) % RADIX;
}

static void count(int me, const unsigned int *source, int d)
{
	memset(counts[me], 0, sizeof(counts[me]));
	for (long i = first_of(keys, me); i < first_of(keys, me + 1); i++)
		counts[me][digit(source[i], d)]++;
}

/* Sums over the threads, each thread a part of the digits; starts: of the digit alone. */
static void sum_threads(int me)
{
	for (int value = first_of(RADIX, me); value < first_of(RADIX, me + 1); value++) {
		int sum = 0, own;

		for (int t = 0; t < threads; t++) {
			own = counts[t][value];
			counts[t][value] = sum;
			sum += own;
		}
		starts[value] = sum;
	}
}

/* Sums over the digits. */
static void sum_digits(void)
{
	int sum = 0, own;

	for (int value = 0; value < RADIX; value++) {
		own = starts[value];
		starts[value] = sum;
		sum += own;
	}
}

static void move(int me, const unsigned int *source, unsigned int *target, int d)
{
	for (long i = first_of(keys, me); i < first_of(keys, me + 1); i++) {
		int value = digit(source[i], d);

		target[starts[value] + counts[me][value]++] = source[i];
	}
}

static void *work(void *arg)
{
	unsigned int *source = from, *target = to, *other;
	int me = (long)arg;

	make_keys(me);
	barrier(me);
	for (int d = 0; d < DIGITS; d++) {
		count(me, source, d);
		barrier(me);
		sum_threads(me);
		barrier(me);
		if (!me)
			sum_digits();
		barrier(me);
		move(me, source, target, d);
		barrier(me);
		other = source;
		source = target;
		target = other;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long after = 0;

	threads = argument(argc, argv, 1, threads);
	keys = argument(argc, argv, 2, keys);
	check(threads > 0 && threads <= MAX_THREADS && keys > 0, "too many threads, or no keys");
	from = allocate(keys * sizeof(*from));
	to = allocate(keys * sizeof(*to));
	counts = allocate(threads * sizeof(*counts));
	run_parallel(work);
	for (long i = 0; i < keys; i++) {
		check(!i || from[i - 1] <= from[i], "key %ld is out of order", i);
		after += from[i];
	}
	check(before == after, "the keys are not those that were made");
	printf("result %lu:%u:%u\n", after, from[keys / 3], from[keys / 2]);
	return 0;
}
