// SPDX-License-Identifier: GPL-2.0
/*
 * Where a ready thread goes. All CPUs take from one set of ready threads
 * (ready.c); what is decided here is who is told: the CPU it last ran on if that
 * is idle, since its address space is probably still loaded there, else one that
 * polls, else one that sleeps. With none idle, all that may run it take turns
 * from now on, and the one whose thread is furthest ahead is interrupted at once.
 */
#include "thread.h"

bool place_allowed(struct thread *t, struct apk_head *h)
{
	u64 cpus[APK_CPU_WORDS];
	bool any = affinity_cpus(t, cpus);
	unsigned int i;

	for (i = 0; i < APK_CPU_WORDS; i++)
		WRITE_ONCE(h->cpus[i], cpus[i]);
	return any;
}

bool place_changed(struct thread *t, const struct apk_head *h)
{
	u64 cpus[APK_CPU_WORDS];

	affinity_cpus(t, cpus);
	return memcmp(cpus, h->cpus, sizeof(cpus));
}

static bool allowed(const struct apk_head *h, unsigned int i)
{
	return cpus_has(h->cpus, i) && cpus_has(apk_usable, i);
}

static u32 cpu_state(unsigned int i)
{
	return __atomic_load_n(&apk_cpus[i].head->state, __ATOMIC_SEQ_CST);
}

/* The allowed CPU in that state that is to be preferred; apk_nr_cpus: there is none. */
static unsigned int find(const struct apk_head *h, u32 state)
{
	u32 last = READ_ONCE(h->last);
	unsigned int i;

	if (last < apk_nr_cpus && allowed(h, last) && cpu_state(last) == state)
		return last;
	for (i = 0; i < apk_nr_cpus && !(allowed(h, i) && cpu_state(i) == state); i++)
		;
	return i;
}

/* The CPU that it ran on last, if that is idle; NULL: it is not. */
static struct acpu *idle_last(const struct apk_head *h)
{
	u32 last = READ_ONCE(h->last), state;

	if (last >= apk_nr_cpus || !allowed(h, last))
		return NULL;
	state = cpu_state(last);
	return state == APK_CPU_POLL || state == APK_CPU_HALT ? &apk_cpus[last] : NULL;
}

bool place_idle_last(const struct apk_head *h)
{
	return idle_last(h);
}

struct acpu *place_expect(const struct apk_head *h)
{
	static const u32 order[] = { APK_CPU_POLL, APK_CPU_HALT, APK_CPU_RUN };
	struct acpu *last = idle_last(h);
	unsigned int i, n;

	if (last)
		return last;
	for (n = 0; n < ARRAY_SIZE(order); n++) {
		i = find(h, order[n]);
		if (i < apk_nr_cpus)
			return &apk_cpus[i];
	}
	return NULL;
}

/* False: it does not sleep any more, and looks, or was woken for another thread. */
static bool rouse(unsigned int i)
{
	struct acpu *a = &apk_cpus[i];
	u32 state = APK_CPU_HALT;

	if (!__atomic_compare_exchange_n(&a->head->state, &state, APK_CPU_POLL, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	if (a->cfg->features & APK_F_MWAIT)
		__atomic_fetch_add(&a->head->wake, 1, __ATOMIC_SEQ_CST);
	else
		acpu_ipi(a, APK_VEC_WAKE);
	return true;
}

/* Is an idle CPU there that takes the thread, woken if need be? */
static bool idle_takes(const struct apk_head *h)
{
	u32 last = READ_ONCE(h->last);
	unsigned int i;

	if (last < apk_nr_cpus && allowed(h, last) &&
	    (cpu_state(last) == APK_CPU_POLL || rouse(last)))
		return true;
	if (find(h, APK_CPU_POLL) < apk_nr_cpus)
		return true;
	for (i = 0; i < apk_nr_cpus; i++) {
		if (allowed(h, i) && rouse(i))
			return true;
	}
	return false;
}

/* No CPU is idle: which of those that run is to be asked to give way. */
static unsigned int furthest_ahead(const struct apk_head *h)
{
	s64 most = (s64)(READ_ONCE(apk_global->slice_cycles) / APK_YIELD_PART), lead;
	unsigned int i, best = apk_nr_cpus;

	for (i = 0; i < apk_nr_cpus; i++) {
		if (!allowed(h, i) || cpu_state(i) != APK_CPU_RUN)
			continue;
		lead = fair_lead(&apk_cpus[i], h);
		if (lead > most) {
			most = lead;
			best = i;
		}
	}
	return best;
}

/*
 * After the thread became ready, with a full barrier in between: a CPU publishes
 * HALT, or RUN without ticking, likewise before it looks for ready threads. So
 * either it finds the thread, or its state is seen here. False: no CPU is idle.
 */
static bool notify(const struct apk_head *h)
{
	unsigned int i, target;

	if (idle_takes(h))
		return true;
	target = furthest_ahead(h);
	if (target < apk_nr_cpus)
		acpu_ipi(&apk_cpus[target], APK_VEC_RESCHED);
	for (i = 0; i < apk_nr_cpus; i++) {
		if (i != target && allowed(h, i) && cpu_state(i) == APK_CPU_RUN &&
		    !READ_ONCE(apk_cpus[i].head->ticking))
			acpu_ipi(&apk_cpus[i], APK_VEC_WAKE);
	}
	return false;
}

bool place_ready(struct thread *t, const struct apk_head *h)
{
	unsigned long flags;
	bool idle;

	/* Once ready it may run at once: of the slot nothing is touched after this. */
	local_irq_save(flags);	/* so that it is not ready and unknown for a time slice of Linux's */
	ready_add(t->slot);
	mb();
	idle = notify(h);
	local_irq_restore(flags);
	return idle;
}

bool place_full(const struct apk_head *h)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++) {
		if (allowed(h, i) && cpu_state(i) != APK_CPU_RUN)
			return false;
	}
	return true;
}
