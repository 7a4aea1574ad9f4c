// SPDX-License-Identifier: GPL-2.0
/*
 * The rule that keeps a thread at home whose visits cost more than they give.
 *
 * Every visit credits the thread's balance with the TSC cycles of user mode
 * that it took off the home CPU, and debits twice what its passage cost there
 * (the application CPU pays about as much again). The balance is held within
 * one millisecond either way. When it falls to minus one millisecond the
 * thread stays home for stay_ms, then tries again from zero; every further
 * stay is twice as long, up to sixteen times, and a balance that reaches plus
 * one millisecond makes the next one short again. An exec starts afresh, a
 * child inherits its parent's account.
 *
 * So a thread that computes is away from its first instructions on, and one
 * that only makes system calls (ls, find) spends at most about a hundredth of
 * its time finding out that it is better off at home. stay=0 switches the rule
 * off.
 */
#include <linux/jiffies.h>
#include <asm/tsc.h>
#include "thread.h"

#define STAY_DOUBLINGS	16

bool policy_stays(struct thread *t)
{
	struct policy *p = &t->policy;

	if (!p->staying || affinity_away_only(t))
		return false;
	if (READ_ONCE(apk_param_stay) && time_before(jiffies, p->until))
		return true;
	p->staying = false;
	return false;
}

void policy_account(struct thread *t, u64 gain, u64 cost)
{
	struct policy *p = &t->policy;
	s64 limit = tsc_khz;	/* one millisecond */
	unsigned int first = READ_ONCE(apk_param_stay_ms);

	p->balance = clamp_t(s64, p->balance + (s64)gain - (s64)(2 * cost), -limit, limit);
	if (p->balance == limit)
		p->stay_ms = first;
	if (p->balance > -limit || !READ_ONCE(apk_param_stay))
		return;
	p->until = jiffies + msecs_to_jiffies(p->stay_ms);
	p->stay_ms = min(2 * p->stay_ms, STAY_DOUBLINGS * first);
	p->balance = 0;
	p->staying = true;
	apk_count(APK_H_STAY);
}

void policy_fresh(struct thread *t)
{
	t->policy = (struct policy){ .stay_ms = READ_ONCE(apk_param_stay_ms) };
}

void policy_inherit(struct thread *child, const struct thread *parent)
{
	child->policy = parent->policy;
}
