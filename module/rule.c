// SPDX-License-Identifier: GPL-2.0
/*
 * docs/policy.md says what the rule is for, rule.h what the parts are.
 *
 * A thread in a crowd gains what it computes away: others have home meanwhile. One
 * that is alone gains nothing. So in a crowd half of its time away is set against
 * the cost of its passages, and alone the share that it may lose.
 *
 * Leaving takes twice the stretch at which coming home begins, and every try-out that
 * failed doubles it and the stay that follows: a thread at the boundary does not
 * swing.
 */
#ifdef __KERNEL__
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/types.h>
#else
#include "host.h"
#endif
#include "rule.h"

#define THOUSAND	1000
#define QUIET_ENOUGH	2	/* ticks without a call: it computes, whatever a passage costs */

u64 rule_stretch(const struct account *a, const struct rule *r, u32 calls)
{
	return calls ? div_u64(r->tick, calls + 1) : (u64)a->quiet * r->tick;
}

u64 rule_needed(const struct account *a, const struct rule *r, bool crowd)
{
	u64 needed = crowd ? 4 * r->passage : div_u64(2 * THOUSAND * r->passage, r->loss);

	return min_t(u64, needed, QUIET_ENOUGH * r->tick) << a->failures;
}

bool rule_tick(struct account *a, const struct rule *r, u64 now, u32 calls, bool crowd)
{
	if (calls)
		a->quiet = 0;
	else if (a->quiet < QUIET_ENOUGH << RULE_FAILURES)
		a->quiet++;
	if (now < a->until || rule_stretch(a, r, calls) < rule_needed(a, r, crowd))
		return false;
	a->home = false;
	a->balance = 0;
	return true;
}

/* What a try-out may lose: alone, of the stay that follows, no larger a share than of time away. */
static s64 most(const struct rule *r, bool crowd)
{
	return crowd ? r->patience : div_u64(r->stay * r->loss, THOUSAND);
}

enum verdict rule_visit(struct account *a, const struct rule *r, u64 now, u64 gain, u64 cost,
			bool crowd)
{
	u64 worth = crowd ? gain / 2 : div_u64(gain * r->loss, THOUSAND);

	a->balance = min_t(s64, a->balance + (s64)worth - (s64)cost, r->patience);
	if (a->balance == (s64)r->patience) {
		a->failures = 0;
		a->proven = true;
		return VERDICT_PAYS;
	}
	if (a->balance > -most(r, crowd))
		return VERDICT_NONE;
	a->until = now + (r->stay << a->failures);
	a->failures = min_t(u32, a->failures + 1, RULE_FAILURES);
	a->home = true;
	a->proven = true;
	a->quiet = 0;
	a->balance = 0;
	return VERDICT_STAY;
}
