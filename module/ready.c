// SPDX-License-Identifier: GPL-2.0
/*
 * The set of ready threads, home's side (kernel/sched/ready.go is the other): a
 * bit a slot in the global region. A thread in state READY has its bit set: the
 * bit is set first and cleared last, by who brings it into that state and by
 * who takes it out. A bit alone says nothing.
 */
#include <asm/tsc.h>
#include "thread.h"

static u64 *word_of(unsigned int slot)
{
	return &apk_global->ready[slot / 64];
}

void ready_add(unsigned int slot)
{
	struct apk_head *h = &apk_global->head[slot];

	WRITE_ONCE(h->queued, rdtsc_ordered());
	__atomic_fetch_or(word_of(slot), 1ULL << (slot % 64), __ATOMIC_SEQ_CST);
	__atomic_store_n(&h->state, APK_READY, __ATOMIC_SEQ_CST);
}

bool ready_withdraw(unsigned int slot)
{
	u32 state = APK_READY;

	if (!__atomic_compare_exchange_n(&apk_global->head[slot].state, &state, APK_HOME, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	__atomic_fetch_and(word_of(slot), ~(1ULL << (slot % 64)), __ATOMIC_SEQ_CST);
	return true;
}

bool ready_is(unsigned int slot)
{
	return READ_ONCE(*word_of(slot)) >> (slot % 64) & 1 &&
	       READ_ONCE(apk_global->head[slot].state) == APK_READY;
}

bool ready_any(void)
{
	unsigned int w;

	for (w = 0; w < APK_MAX_SLOTS / 64; w++) {
		if (READ_ONCE(apk_global->ready[w]))
			return true;
	}
	return false;
}

static bool waits_for(unsigned int slot, unsigned int cpu)
{
	const struct apk_head *h = &apk_global->head[slot];

	return READ_ONCE(h->state) == APK_READY && cpus_has(h->cpus, cpu);
}

unsigned int ready_count(unsigned int cpu)
{
	unsigned int w, n = 0;
	u64 left;

	for (w = 0; w < APK_MAX_SLOTS / 64; w++) {
		for (left = READ_ONCE(apk_global->ready[w]); left; left &= left - 1)
			n += waits_for(64 * w + __builtin_ctzll(left), cpu);
	}
	return n;
}
