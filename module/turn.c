// SPDX-License-Identifier: GPL-2.0
/*
 * Turns at home: a CPU of Linux's own that has nothing to do takes part when the
 * application CPUs are full.
 *
 * A thread that is about to leave, and finds all of them taken and nothing else to do
 * for the CPU that it is on, has its turn at once.
 *
 * A thread that waits for an application CPU has a task that sleeps in its visit.
 * When an adopted thread's task goes to sleep, its home CPU has nothing else to do,
 * threads wait and no application CPU is idle, the one that has run least is invited:
 * its task withdraws it and takes it home, where Linux runs it as it runs any task. A
 * home CPU that runs out of work otherwise does the same when two looks in a row find
 * it so. After TURN the thread leaves again, unless nobody else waits. What it ran at
 * home counts as if it had run away.
 *
 * So no thread comes home while an application CPU is idle or while home has other
 * work, and none changes sides more than once in TURN. Threads that are told to be
 * away take no turns: those bound to application CPUs, and all with stay=0.
 */
#include <linux/irq_work.h>
#include <linux/preempt.h>
#include <linux/sched/stat.h>
#include <linux/workqueue.h>
#include "thread.h"

#define TURN		max(HZ / 40, 1)
#define LOOK_PERIOD	1	/* jiffies */

static void look(struct work_struct *work);
static DECLARE_DELAYED_WORK(look_work, look);
static bool was_full;		/* at the last look; only looks touch it */

/* By whoever finds that no application CPU is idle for a thread that waits. Task context. */
void turn_look(void)
{
	if (READ_ONCE(apk_param_stay))
		queue_delayed_work(system_unbound_wq, &look_work, LOOK_PERIOD);
}

static bool may_turn(struct thread *t)
{
	return !t->pinned && !affinity_away_only(t) && !READ_ONCE(t->invited);
}

bool turn_instead(struct thread *t)
{
	struct apk_head *h = &apk_global->head[t->slot];

	return READ_ONCE(apk_param_stay) && !t->turn && may_turn(t) && !place_idle_last(h) &&
	       single_task_running() && place_allowed(t, h) && place_full(h);
}

/*
 * The ready thread that has run least, of those that may come home and for which
 * no CPU is idle. In an RCU read section; NULL: there is none.
 */
static struct thread *hindmost(void)
{
	struct thread *t, *best = NULL;
	const struct apk_head *h;
	unsigned int i;
	u64 least = 0;

	for_each_ready(i) {
		h = &apk_global->head[i];
		t = thread_in(i);
		if (!t || !may_turn(t) || !place_full(h))
			continue;
		if (!best || (s64)(READ_ONCE(h->vruntime) - least) < 0) {
			least = READ_ONCE(h->vruntime);
			best = t;
		}
	}
	return best;
}

static void invite(struct thread *t)
{
	WRITE_ONCE(t->invited, true);
	rcuwait_wake_up(&t->wait);
}

static void look(struct work_struct *work)
{
	struct thread *t;

	rcu_read_lock();
	t = hindmost();
	if (t && was_full && single_task_running())
		invite(t);
	was_full = t;
	rcu_read_unlock();
	if (t)
		turn_look();
}

/* Soon after the CPU ran out of work. */
static void on_idle(struct irq_work *work)
{
	struct thread *t;

	if (!is_idle_task(current))
		return;
	rcu_read_lock();
	t = hindmost();
	if (t) {
		apk_count(APK_H_TURN_IDLE);
		invite(t);
	}
	rcu_read_unlock();
}

static DEFINE_PER_CPU(struct irq_work, idle);

/* With a run queue's lock held. */
static void on_sched_out(struct preempt_notifier *n, struct task_struct *next)
{
	if (is_idle_task(next) && READ_ONCE(apk_param_stay) && ready_next(0) != APK_MAX_SLOTS)
		irq_work_queue(this_cpu_ptr(&idle));
}

static void on_sched_in(struct preempt_notifier *n, int cpu)
{
}

static struct preempt_ops switches = { .sched_in = on_sched_in, .sched_out = on_sched_out };

void turn_watch(struct thread *t)
{
	if (t->watched)
		return;
	t->watched = true;
	preempt_notifier_init(&t->switches, &switches);
	preempt_disable();
	preempt_notifier_register(&t->switches);
	preempt_enable();
}

void turn_unwatch(struct thread *t)
{
	if (!t->watched)
		return;
	preempt_disable();
	preempt_notifier_unregister(&t->switches);
	preempt_enable();
	t->watched = false;
}

bool turn_taken(struct thread *t)
{
	if (!READ_ONCE(t->invited))
		return false;
	WRITE_ONCE(t->invited, false);
	return ready_withdraw(t->slot);	/* false: a CPU was faster */
}

void turn_begin(struct thread *t)
{
	t->turn = true;
	t->turn_until = jiffies + TURN;
	t->turn_from = current->se.sum_exec_runtime;
}

/* Whoever waits can have this CPU of Linux's next; with nobody waiting there is no better place. */
static bool goes_on(const struct thread *t)
{
	return ready_next(0) == APK_MAX_SLOTS && place_full(&apk_global->head[t->slot]);
}

/* On the way to user mode, interrupts off. */
bool turn_lasts(struct thread *t)
{
	if (!t->turn || !READ_ONCE(apk_param_stay))
		return false;
	if (time_before(jiffies, t->turn_until))
		return true;
	if (!goes_on(t)) {
		t->kick = true;
		return false;
	}
	t->turn_until = jiffies + TURN;
	return true;
}

void turn_end(struct thread *t)
{
	if (!t->turn)
		return;
	t->turn = false;
	fair_charge(&apk_global->head[t->slot], current->se.sum_exec_runtime - t->turn_from);
}

void turn_init(void)
{
	unsigned int cpu;

	/* Addresses in a module's initial values of per-CPU variables are not relocated. */
	for_each_possible_cpu(cpu)
		*per_cpu_ptr(&idle, cpu) = IRQ_WORK_INIT_HARD(on_idle);
	preempt_notifier_inc();
}

void turn_exit(void)
{
	unsigned int cpu;

	preempt_notifier_dec();	/* no thread is watched any more */
	for_each_possible_cpu(cpu)
		irq_work_sync(per_cpu_ptr(&idle, cpu));
	cancel_delayed_work_sync(&look_work);
}
