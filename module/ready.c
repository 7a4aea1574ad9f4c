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

unsigned int ready_next(unsigned int slot)
{
	u64 left;

	while (slot < READ_ONCE(apk_global->words) * 64) {
		left = READ_ONCE(*word_of(slot)) >> (slot % 64);
		if (!left) {
			slot = round_down(slot, 64) + 64;
			continue;
		}
		slot += __builtin_ctzll(left);
		if (READ_ONCE(apk_global->head[slot].state) == APK_READY)
			return slot;
		slot++;
	}
	return APK_MAX_SLOTS;
}

unsigned int ready_count(unsigned int cpu)
{
	unsigned int slot, n = 0;

	for_each_ready(slot)
		n += cpus_has(apk_global->head[slot].cpus, cpu);
	return n;
}
