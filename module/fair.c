// SPDX-License-Identifier: GPL-2.0
/*
 * What home contributes to fairness on application CPUs: a thread's weight, and
 * what it runs at home. docs/scheduling.md has the rules.
 */
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <linux/sched/rt.h>
#include <asm/tsc.h>
#include "thread.h"

/* Linux's own table (sched_prio_to_weight), which modules do not see: each step of nice is 1.25. */
static const u32 weight_of_nice[NICE_WIDTH] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
	1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
	110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
};

#define WEIGHT_IDLE	3	/* of SCHED_IDLE, as in Linux */

/* A real-time thread is the heaviest there is: it does not shut others out, as it would at home. */
static u32 weight(const struct task_struct *task)
{
	if (task->policy == SCHED_IDLE)
		return WEIGHT_IDLE;
	if (rt_prio(task->prio))
		return weight_of_nice[0];
	return weight_of_nice[clamp(task->static_prio - MAX_RT_PRIO, 0, NICE_WIDTH - 1)];
}

void fair_weigh(const struct task_struct *task, struct apk_head *h)
{
	u32 now = weight(task);

	if (READ_ONCE(h->weight) != now)
		WRITE_ONCE(h->weight, now);
}

void fair_begin(struct apk_head *h)
{
	h->vruntime = READ_ONCE(apk_global->level);	/* for fair_lead() */
	h->weight = weight(current);
	h->fresh = 1;
}

void fair_charge(struct apk_head *h, u64 ns)
{
	u64 cycles = mul_u64_u64_div_u64(ns, tsc_khz, 1000000);

	h->vruntime += div_u64(cycles * APK_WEIGHT_NICE0, h->weight);
}

/*
 * How far the thread on that CPU is ahead of h's, as when it was last charged;
 * S64_MIN: none runs there.
 */
s64 fair_lead(const struct acpu *a, const struct apk_head *h)
{
	u64 credit = APK_CREDIT_SLICES * READ_ONCE(apk_global->slice_cycles);
	u64 floor = READ_ONCE(apk_global->level) - credit;
	u64 own = h->vruntime;
	u32 slot = READ_ONCE(a->head->slot);

	if (!slot || slot > APK_MAX_SLOTS)
		return S64_MIN;
	if ((s64)(floor - own) > 0)
		own = floor;
	return READ_ONCE(apk_global->head[slot - 1].vruntime) - own;
}
