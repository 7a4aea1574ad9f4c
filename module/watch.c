// SPDX-License-Identifier: GPL-2.0
/*
 * Finds application CPUs that hang although threads wait for them. One that
 * hangs with a thread is found by whoever recalls that thread or flushes its
 * address space; but threads that only it may run would wait for good.
 *
 * A healthy CPU is not disturbed: it polls for a fraction of a second and then
 * halts, and one for which threads wait runs them by turns. Only one that
 * has done neither from one look to the next is asked to answer a flush
 * request, and fails when it has not for as long as a CPU may take.
 */
#include <linux/workqueue.h>
#include "compat.h"
#include "platform.h"

#define LOOK_PERIOD	HZ

/* What the last look at a CPU found. */
struct look {
	u64 progress;
	u64 asked;	/* the flush request it must have answered; 0: none */
	u64 deadline;	/* TSC: by when */
};

static struct look looks[APK_MAX_CPUS];
static void look_at_all(struct work_struct *work);
/* Deferrable: threads that wait keep home awake, and without any there is no hurry. */
static DECLARE_DEFERRABLE_WORK(watch_work, look_at_all);

static bool has_work(struct acpu *a)
{
	return READ_ONCE(a->head->state) == APK_CPU_POLL ||
	       ready_count(a->index);
}

static void look_at(struct acpu *a, struct look *l)
{
	u64 progress;

	if (!acpu_usable(a))
		return;
	progress = READ_ONCE(a->stat->count[APK_C_RUN]) + READ_ONCE(a->stat->count[APK_C_HALT]);
	if (l->asked && READ_ONCE(a->head->flush_ack) < l->asked) {
		if (rdtsc_ordered() > l->deadline)
			acpu_fail(a, "it hangs");
		return;
	}
	l->asked = 0;
	if (has_work(a) && progress == l->progress) {
		l->deadline = apk_deadline();
		l->asked = __atomic_add_fetch(&a->head->flush_req, 1, __ATOMIC_SEQ_CST);
		acpu_ipi(a, APK_VEC_FLUSH);
	}
	l->progress = progress;
}

static void look_at_all(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++) {
		rcu_read_lock();	/* it is not given back meanwhile */
		look_at(&apk_cpus[i], &looks[i]);
		rcu_read_unlock();
	}
	schedule_delayed_work(&watch_work, LOOK_PERIOD);
}

int watch_init(void)
{
	memset(looks, 0, sizeof(looks));
	schedule_delayed_work(&watch_work, LOOK_PERIOD);
	return 0;
}

void watch_exit(void)
{
	cancel_delayed_work_sync(&watch_work);
}
