// SPDX-License-Identifier: GPL-2.0
/*
 * The time a thread spends away is its CPU time, as if it had run at home.
 * The bootstrap thread credits it when the thread comes home and, so that
 * limits see a long visit, every quarter of a second meanwhile. Whoever reads
 * its clocks credits it up to that moment (clocks.c).
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

/* Under account_lock. Credits what cycles exceeds the account by, less what Linux charged already. */
static void credit(struct thread *t, u64 cycles)
{
	struct task_struct *task = t->task;
	u64 ns;

	if (cycles <= t->credited)
		return;
	if (cycles - t->credited > t->charged) {
		ns = mul_u64_u32_div(cycles - t->credited - t->charged, 1000000, tsc_khz);
		task->utime += ns;
		task->se.sum_exec_runtime += ns;
		account_group_user_time(task, ns);
		account_group_exec_runtime(task, ns);
		groups_charge(task, ns);
	}
	t->credited = cycles;
}

/* By the bootstrap thread. Interrupts off: the tick updates the same counters on this CPU. */
void account_away(struct thread *t, u64 cycles)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->account_lock, flags);
	credit(t, cycles);
	t->charged = 0;
	raw_spin_unlock_irqrestore(&t->account_lock, flags);
}

/*
 * Whether others may credit: only while the bootstrap thread is about to sleep
 * and does, so that Linux does not update its counters at the same time.
 */
void account_share(struct thread *t, bool on)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->account_lock, flags);
	t->shared = on;
	raw_spin_unlock_irqrestore(&t->account_lock, flags);
}

void account_task(struct task_struct *task)
{
	unsigned long flags;
	struct thread *t;

	rcu_read_lock();
	t = thread_find(task);
	if (t) {
		raw_spin_lock_irqsave(&t->account_lock, flags);
		if (t->shared) {
			credit(t, account_running(&apk_global->head[t->slot], slot_get(t->slot)));
			t->charged = 0;
		}
		raw_spin_unlock_irqrestore(&t->account_lock, flags);
	}
	rcu_read_unlock();
}
