/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rule of policy.c as arithmetic: nothing of Linux's is in it, so that it is also
 * compiled and tried on the build machine (test/policy). Times are TSC cycles.
 *
 * The user includes <linux/types.h>, or what stands for it.
 */
#ifndef APKERN_RULE_H
#define APKERN_RULE_H

#define RULE_FAILURES	4	/* so often the first stay doubles */

/* What holds for all threads at a moment. */
struct rule {
	u64 passage;	/* what it costs to go away and to come home again, about */
	u64 tick;	/* from one tick of home's to the next */
	u64 stay;	/* the first stay */
	u64 patience;	/* what a try-out may lose in a crowd; what visits that pay can save up */
	u32 loss;	/* thousandths of its time away that a thread may lose which gains nothing there */
};

/* What is known of a thread. Zero but for home: a new one. */
struct account {
	s64 balance;	/* what visits gave minus what they cost since it left */
	u64 until;	/* it stays at least until then, if it is home */
	u32 quiet;	/* ticks in a row that found it in user mode at home, without a call in between */
	u32 failures;	/* try-outs since one paid */
	bool home;	/* it stays there; else it visits */
	bool proven;	/* a try-out of it has ended */
};

/* What a visit showed. */
enum verdict {
	VERDICT_NONE,
	VERDICT_PAYS,	/* the balance is as high as it goes */
	VERDICT_STAY,	/* as low: the thread stays home from now on */
};

/*
 * How long a thread computes between two calls, about, and how long it must for
 * leaving to pay. calls: since the last tick that found it in user mode.
 */
u64 rule_stretch(const struct account *a, const struct rule *r, u32 calls);
u64 rule_needed(const struct account *a, const struct rule *r, bool crowd);

/* A tick found the thread in user mode at home. True: it leaves, from now on. */
bool rule_tick(struct account *a, const struct rule *r, u64 now, u32 calls, bool crowd);

/* A visit is over: gain is its time in user mode, cost what all its passages lost. */
enum verdict rule_visit(struct account *a, const struct rule *r, u64 now, u64 gain, u64 cost,
			bool crowd);

#endif
