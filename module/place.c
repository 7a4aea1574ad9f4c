// SPDX-License-Identifier: GPL-2.0
/*
 * Where a ready thread goes: the CPU it last ran on if that is idle, since its
 * address space is probably still loaded there, else one that polls, else one
 * that sleeps, else the shortest queue. Idle CPUs steal, so a choice that
 * turns out wrong costs time, never progress.
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
	return cpus_has(h->cpus, i) && acpu_usable(&apk_cpus[i]);
}

static u32 cpu_state(unsigned int i)
{
	return READ_ONCE(apk_cpus[i].head->state);
}

static u32 waiting(unsigned int i)
{
	struct apk_runq *q = apk_cpus[i].runq;

	return READ_ONCE(q->tail) - READ_ONCE(q->head);
}

static bool idle(unsigned int i)
{
	u32 state = cpu_state(i);

	return (state == APK_CPU_POLL || state == APK_CPU_HALT) && !waiting(i);
}

/* Lower is better. */
static u32 rank(unsigned int i)
{
	if (idle(i))
		return cpu_state(i) == APK_CPU_POLL ? 0 : 1;
	return 2 + waiting(i);
}

struct acpu *place_choose(struct apk_head *h)
{
	u32 last = READ_ONCE(h->last), best_rank = U32_MAX, r;
	struct acpu *best = NULL;
	unsigned int i;

	if (last < apk_nr_cpus && allowed(h, last) && idle(last))
		return &apk_cpus[last];
	for (i = 0; i < apk_nr_cpus; i++) {
		if (!allowed(h, i))
			continue;
		r = rank(i);
		if (r < best_rank || (r == best_rank && i == last)) {
			best_rank = r;
			best = &apk_cpus[i];
		}
	}
	return best;
}

/* The producer's side of the ticket scheme in handover.h. */
static bool push(struct apk_runq *q, u32 slot)
{
	u32 pos = __atomic_load_n(&q->tail, __ATOMIC_RELAXED);

	for (;;) {
		struct apk_cell *c = &q->cell[pos % APK_RUNQ_CELLS];
		s32 diff = __atomic_load_n(&c->seq, __ATOMIC_ACQUIRE) - pos;

		if (diff < 0)
			return false;
		if (diff > 0) {
			pos = __atomic_load_n(&q->tail, __ATOMIC_RELAXED);
			continue;
		}
		if (__atomic_compare_exchange_n(&q->tail, &pos, pos + 1, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			c->slot = slot;
			__atomic_store_n(&c->seq, pos + 1, __ATOMIC_RELEASE);
			return true;
		}
	}
}

static void rouse(struct acpu *a)
{
	if (a->cfg->features & APK_F_MWAIT)
		__atomic_fetch_add(&a->head->wake, 1, __ATOMIC_SEQ_CST);
	else
		acpu_ipi(a, APK_VEC_WAKE);
}

/* After an entry went into a's queue: see that somebody looks at it. */
static void notify(struct acpu *a, struct apk_head *h)
{
	unsigned int i;

	mb();	/* the entry before the state: the CPU publishes HALT, then looks at the queues */
	switch (cpu_state(a->index)) {
	case APK_CPU_HALT:
		rouse(a);
		return;
	case APK_CPU_RUN:
		if (!READ_ONCE(a->head->ticking))
			acpu_ipi(a, APK_VEC_RESCHED);
		break;
	}
	for (i = 0; i < apk_nr_cpus; i++) {
		if (i != a->index && allowed(h, i) && cpu_state(i) == APK_CPU_HALT) {
			rouse(&apk_cpus[i]);	/* to steal it */
			return;
		}
	}
}

bool place_ready(struct thread *t, struct apk_head *h, struct acpu **cpu)
{
	struct acpu *a = *cpu;
	unsigned long flags;
	unsigned int i;
	bool done;

	/* Once READY it may run at once: nothing of the slot is touched after this. */
	__atomic_store_n(&h->state, APK_READY, __ATOMIC_SEQ_CST);
	/* A producer that is held up between ticket and entry would hold up the consumers. */
	local_irq_save(flags);
	done = push(a->runq, t->slot);
	for (i = 0; !done && i < apk_nr_cpus; i++) {
		a = &apk_cpus[i];
		done = allowed(h, i) && push(a->runq, t->slot);
	}
	if (done)
		notify(a, h);
	local_irq_restore(flags);
	*cpu = a;
	if (!done)
		__atomic_store_n(&h->state, APK_HOME, __ATOMIC_SEQ_CST);
	return done;
}
