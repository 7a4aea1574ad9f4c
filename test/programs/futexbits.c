// SPDX-License-Identifier: GPL-2.0
/*
 * futexbits pi|robust [rounds [seconds]]: no update of a lock's word is lost when Linux
 * changes it too.
 *
 * A thread that is away turns one bit of the word over and over, and looks each
 * time whether it finds the bit as it left it: nobody else changes that bit. Linux
 * meanwhile compares and exchanges the word: when FUTEX_TRYLOCK_PI takes the lock
 * (which keeps FUTEX_OWNER_DIED), and when a thread dies that has it on its robust
 * list (which keeps FUTEX_WAITERS).
 */
#include "where.h"
#include "check.h"
#include "adopt.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCH	1000

static uint32_t word __attribute__((aligned(64)));
static uint32_t bit;		/* that the flipper turns */
static bool started, stop;
static unsigned long flips, lost, batches, away_batches;

static void *flip(void *unused)
{
	uint32_t expected = 0;

	(void)unused;
	adopt_this_thread();
	go_away();
	store(&started, true);
	while (!load(&stop)) {
		bool away = is_away();

		for (int i = 0; i < BATCH; i++) {
			uint32_t old = __atomic_fetch_xor(&word, bit, __ATOMIC_SEQ_CST) & bit;

			lost += old != expected;
			expected = old ^ bit;
		}
		flips += BATCH;
		batches++;
		away_batches += away && is_away();
	}
	return NULL;
}

/* Linux takes the lock; it is given back here, without Linux. */
static void take(void)
{
	while (syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0))
		check(errno == EAGAIN, "FUTEX_TRYLOCK_PI: %s", strerror(errno));
	check((load(&word) & FUTEX_TID_MASK) == (uint32_t)gettid(), "the lock's word is %#x",
	      load(&word));
	__atomic_fetch_and(&word, bit, __ATOMIC_SEQ_CST);
}

static struct robust_list entry;

/* Dies with the lock on its robust list. */
static void *die(void *unused)
{
	static struct robust_list_head head;	/* Linux reads it when the thread is gone */

	(void)unused;
	head.list.next = &entry;
	head.futex_offset = (char *)&word - (char *)&entry;
	entry.next = &head.list;
	must(syscall(SYS_set_robust_list, &head, sizeof(head)));
	__atomic_fetch_or(&word, gettid(), __ATOMIC_SEQ_CST);
	syscall(SYS_exit, 0);
	return NULL;
}

static void leave_behind(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, die, NULL));
	must0(pthread_join(thread, NULL));
	check((load(&word) & ~bit) == FUTEX_OWNER_DIED, "the word of a dead thread's lock is %#x",
	      load(&word));
	__atomic_fetch_and(&word, bit, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 2, 1000), round;
	double seconds = argument(argc, argv, 3, 0), start;
	pthread_t thread;
	bool pi;

	check(argc > 1, "usage: futexbits pi|robust [rounds [seconds]]");
	pi = !strcmp(argv[1], "pi");
	check(pi || !strcmp(argv[1], "robust"), "\"%s\" is neither pi nor robust", argv[1]);
	bit = pi ? FUTEX_OWNER_DIED : FUTEX_WAITERS;
	must0(pthread_create(&thread, NULL, flip, NULL));
	spin_until(load(&started));
	start = now();
	for (round = 0; !lost && goes_on(round, rounds, start, seconds); round++) {
		if (pi)
			take();
		else
			leave_behind();
	}
	store(&stop, true);
	must0(pthread_join(thread, NULL));
	check(!lost, "%lu of %lu updates were lost", lost, flips);
	require_away(away_batches, batches / 2);
	fprintf(stderr, "futexbits: %lu checks, %ld updates by the kernel\n", flips, round);
	printf("no update lost\n");
	return 0;
}
