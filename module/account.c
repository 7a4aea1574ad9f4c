// SPDX-License-Identifier: GPL-2.0
/*
 * The time a thread spends away is its CPU time, as if it had run at home.
 * The bootstrap thread credits it when the thread comes home and, so that
 * limits and clocks see a long visit, every quarter of a second meanwhile.
 */
#include <linux/math64.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <asm/tsc.h>
#include "thread.h"

/*
 * How many cycles of user mode the slot's thread has had away up to now.
 * Racing with its leaving, since may be gone or not yet be in cycles: the
 * caller credits only increases, and asks again when it is home.
 */
u64 account_running(struct apk_head *h, const struct apk_slot *s)
{
	u64 cycles = READ_ONCE(s->cycles);
	u64 since = READ_ONCE(h->since);
	u64 now = rdtsc_ordered();

	return since && now > since ? cycles + (now - since) : cycles;
}

/*
 * Credits current with what cycles exceeds the account by, less charged cycles:
 * those the bootstrap thread polled through, which Linux charged already.
 */
void account_away(struct thread *t, u64 cycles, u64 charged)
{
	unsigned long flags;
	u64 ns;

	if (cycles <= t->credited)
		return;
	if (cycles - t->credited > charged) {
		ns = mul_u64_u32_div(cycles - t->credited - charged, 1000000, tsc_khz);
		/* Interrupts off: the tick updates the same counters on this CPU. */
		local_irq_save(flags);
		current->utime += ns;
		current->se.sum_exec_runtime += ns;
		account_group_user_time(current, ns);
		account_group_exec_runtime(current, ns);
		local_irq_restore(flags);
	}
	t->credited = cycles;
}
