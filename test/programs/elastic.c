// SPDX-License-Identifier: GPL-2.0
/*
 * elastic [threads]: threads compute the same things again and again, until
 * standard input ends, while processors come and go. Each round has integers,
 * vectors and memory that is mapped, written, protected and unmapped; each must
 * come to what the first one came to, which was made at home.
 *
 * Prints how many rounds there were and a mask of the APIC ids that were seen.
 * A round counts in a word that all threads add to, and in one of the thread's:
 * both must agree.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_THREADS	16
#define STEPS		200000
#define AREA		(16 * 4096)

static unsigned long together;
static int stop;
static uint64_t expected;

static struct worker {
	pthread_t thread;
	unsigned long rounds;
	uint64_t seen;		/* bit: APIC id */
} workers[MAX_THREADS];

static uint64_t compute(void)
{
	double d[4] = { 1, 2, 3, 4 };
	uint64_t x = 1, bits;

	for (int i = 0; i < STEPS; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		for (int k = 0; k < 4; k++)
			d[k] = d[k] * 0.999 + (double)(x >> 40);
	}
	for (int k = 0; k < 4; k++) {
		memcpy(&bits, &d[k], sizeof(bits));
		x ^= bits;
	}
	return x;
}

/* Pages of its own, which are away a moment later. */
static uint64_t in_memory(uint64_t seed)
{
	uint64_t *p = must(mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint64_t sum = 0;

	for (unsigned int i = 0; i < AREA / sizeof(*p); i++)
		p[i] = seed * i;
	must(mprotect(p, AREA, PROT_READ));
	for (unsigned int i = 0; i < AREA / sizeof(*p); i++)
		sum = sum * 31 + p[i];
	must(munmap(p, AREA));
	return sum;
}

static uint64_t once(void)
{
	return in_memory(compute());
}

static void *work(void *arg)
{
	struct worker *self = arg;

	while (!load(&stop)) {
		uint64_t result = once();

		check(result == expected, "round %lu came to %#lx, not %#lx", self->rounds, result, expected);
		self->seen |= 1UL << (apic_id() & 63);
		self->rounds++;
		__atomic_fetch_add(&together, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 1, 4);
	unsigned long rounds = 0;
	uint64_t seen = 0;
	char c;

	check(threads >= 1 && threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	expected = once();
	for (long i = 0; i < threads; i++)
		must0(pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	printf("ready\n");
	fflush(stdout);
	while (must(read(0, &c, 1)) > 0)
		;
	store(&stop, 1);
	for (long i = 0; i < threads; i++) {
		must0(pthread_join(workers[i].thread, NULL));
		check(workers[i].rounds, "thread %ld made no round", i);
		rounds += workers[i].rounds;
		seen |= workers[i].seen;
	}
	check(rounds == together, "the threads count %lu rounds, together %lu", rounds, together);
	printf("%lu rounds, APIC ids %#lx\n", rounds, seen);
	return 0;
}
