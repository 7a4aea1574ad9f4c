// SPDX-License-Identifier: GPL-2.0
/*
 * Lets module/rule.c decide about a thread of a simulated program. A cycle is a
 * nanosecond, and all arguments are times in these but for the shares:
 *
 *   driver PASSAGE TICK STAY PATIENCE LOSS LIMIT CROWD PACE VARIES PERIOD SEED
 *
 *   LIMIT   how long the program runs
 *   CROWD   0: it is alone, 1: never alone, else alone in every second such time
 *   PACE    how long it computes between calls, which take a microsecond at home
 *   VARIES  percent by which that varies, either way
 *   PERIOD  0, or: in every second such time it makes no call
 *   SEED    of what varies
 *
 * Prints what became of it, in the order of struct outcome.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host.h"
#include "rule.h"

#define CALL	1000

struct outcome {
	u64 home, away, lost;	/* time computed, or spent in calls; in passages */
	u64 passages, leaves, stays;
	u64 left;		/* when it first left; 0: never */
	u64 failures;		/* in the end */
};

static struct rule rule;
static u64 limit, crowded, pace, varies, period, seed;

static bool crowd(u64 now)
{
	return crowded > 1 ? now / crowded % 2 : crowded;
}

static u64 random_below(u64 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return n ? (seed >> 33) % n : 0;
}

/* How long it computes from now on. */
static u64 work(u64 now)
{
	u64 spread = pace * varies / 100;

	if (period && now / period % 2 == 0)
		return period - now % period;
	return pace - spread + random_below(2 * spread);
}

static struct outcome simulate(struct account *a)
{
	struct outcome o = { 0 };
	u64 now = 0, left, step;
	u32 calls = 0;

	while (now < limit) {
		for (left = work(now); left && a->home; left -= step) {
			step = min_t(u64, left, rule.tick - now % rule.tick);
			now += step;
			o.home += step;
			if (now % rule.tick)
				continue;
			if (rule_tick(a, &rule, now, calls, crowd(now)) && !o.leaves++)
				o.left = now;
			calls = 0;
		}
		if (!a->home) {
			now += left + rule.passage;
			o.away += left;
			o.lost += rule.passage;
			o.passages++;
			o.stays += rule_visit(a, &rule, now, left, rule.passage, crowd(now)) ==
				   VERDICT_STAY;
			calls = 0;
		}
		now += CALL;
		o.home += CALL;
		calls++;
	}
	o.failures = a->failures;
	return o;
}

int main(int argc, char **argv)
{
	u64 *const numbers[] = { &rule.passage, &rule.tick, &rule.stay, &rule.patience, NULL,
				 &limit, &crowded, &pace, &varies, &period, &seed };
	struct account a = { .home = true };
	struct outcome o;

	if (argc != 12)
		return 2;
	for (int i = 0; i < 11; i++) {
		if (numbers[i])
			*numbers[i] = strtoull(argv[i + 1], NULL, 10);
		else
			rule.loss = atoi(argv[i + 1]);
	}
	o = simulate(&a);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
	       " %" PRIu64 "\n",
	       o.home, o.away, o.lost, o.passages, o.leaves, o.stays, o.left, o.failures);
	return 0;
}
