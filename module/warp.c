// SPDX-License-Identifier: GPL-2.0
/*
 * Home's side of the time-stamp counter test, which both sides run at once
 * before a thread may visit: each reads its counter under one lock and looks
 * for a value below the one read before it (arch/x86/kernel/tsc_sync.c,
 * check_tsc_warp). A clock in user space must never run backwards because a
 * thread went away or came home.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <asm/barrier.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tsc.h>
#include "compat.h"
#include "platform.h"

#define LEAST_MS	20	/* as long as Linux tests CPUs that share no core */
#define MOST_MS		500	/* when the two hardly meet: virtual CPUs that share a real one */
#define ENOUGH_TURNS	2000	/* readings right after one of the other side */
#define ANSWER_US	2000000

enum { WARP_HOME = 1, WARP_CPU, WARP_DONE };	/* apk_warp.phase */

static u64 cycles_of(unsigned int ms)
{
	return (u64)tsc_khz * ms;
}

/* The CPU would loop for longer than home: home ends it by taking the time away. */
void warp_prepare(struct apk_warp *w)
{
	memset(w, 0, sizeof(*w));
	w->cycles = cycles_of(2 * MOST_MS);
	w->cpu_skew = apk_param_inject_warp;
}

static u64 next_reading(struct apk_warp *w, u64 *last)
{
	u64 now;

	while (apk_xchg32(&w->lock, 1))
		cpu_relax();
	*last = READ_ONCE(w->last);
	now = rdtsc_ordered();
	WRITE_ONCE(w->last, now);
	virt_store_release(&w->lock, 0);	/* last is written before the lock is free */
	return now;
}

/*
 * Returns the largest step backwards that home saw. A step shows only in a
 * reading right after one of the other side, so that these are counted.
 */
static u64 home_loop(struct apk_warp *w)
{
	u64 start = rdtsc_ordered();
	u64 last, now = 0, before, largest = 0;
	unsigned int turns = 0;

	do {
		before = now;
		now = next_reading(w, &last);
		turns += last != before;
		if (last > now)
			largest = max(largest, last - now);
	} while (now - start < cycles_of(LEAST_MS) ||
		 (turns < ENOUGH_TURNS && now - start < cycles_of(MOST_MS)));
	WRITE_ONCE(w->cycles, 0);
	return largest;
}

static bool wait_phase(struct apk_warp *w, u32 phase)
{
	unsigned int us;

	for (us = 0; us < ANSWER_US; us++) {
		/* Pairs with the CPU's store: cpu_warp is written before WARP_DONE. */
		if (virt_load_acquire(&w->phase) >= phase)
			return true;
		udelay(1);
	}
	return false;
}

/*
 * Preemption is off while the CPU is waited for, so that home is there when it
 * begins; interrupts are off while both loop.
 */
int warp_test(struct acpu *a)
{
	struct apk_warp *w = &a->cfg->warp;
	u64 home = 0;
	bool answered;

	preempt_disable();
	virt_store_release(&w->phase, WARP_HOME);	/* warp_prepare()'s values are there */
	answered = wait_phase(w, WARP_CPU);
	if (answered) {
		local_irq_disable();
		home = home_loop(w);
		local_irq_enable();
	}
	preempt_enable();
	if (!answered || !wait_phase(w, WARP_DONE))
		return -ETIMEDOUT;
	if (!home && !w->cpu_warp)
		return 0;
	pr_err("CPU %u: its time-stamp counter differs from home's by %llu cycles or more: do not take it\n",
	       a->linux_cpu, max(home, w->cpu_warp));
	return -ENODEV;
}
