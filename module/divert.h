/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls of a function of Linux's that come to one of ours instead, which may
 * call the function and change what it is given and what it answers.
 *
 * A kprobe at the function's first instruction leads the call to the
 * replacement. Unlike a return probe this has no limit on calls in progress,
 * none of which is missed, and both may sleep. The replacement calls the
 * function by a static call: a direct one, which needs no landing pad where the
 * processor tracks indirect branches.
 */
#ifndef APKERN_DIVERT_H
#define APKERN_DIVERT_H

#include <linux/kprobes.h>
#include <linux/static_call.h>

/* Six words: all that a function can get in registers. */
#define DIVERT_ARGS	unsigned long a, unsigned long b, unsigned long c, unsigned long d, \
			unsigned long e, unsigned long f
#define DIVERT_PASS	a, b, c, d, e, f

struct diversion {
	struct kprobe probe;
	unsigned long (*instead)(DIVERT_ARGS);
	struct static_call_key *key;
	void *tramp;
};

/*
 * Before the replacement, which is instead_of_<function>(DIVERT_ARGS), calls the
 * function by divert_original(function)(...) and says divert_done() at its end.
 */
#define DIVERT_DECLARE(function)					\
	DEFINE_STATIC_CALL(original_##function, divert_nowhere)
#define divert_original(function)	static_call(original_##function)

/* Such a replacement, which makes the call as it is; both statements may use the arguments. */
#define DIVERT_AROUND(function, before, after)				\
DIVERT_DECLARE(function);						\
static unsigned long instead_of_##function(DIVERT_ARGS)			\
{									\
	unsigned long ret;						\
									\
	before;								\
	ret = divert_original(function)(DIVERT_PASS);			\
	after;								\
	divert_done();							\
	return ret;							\
}

/* After it: an element of an array of diversions. */
#define DIVERSION(function) {						\
	.probe = {							\
		.symbol_name = #function,				\
		.pre_handler = divert_handler,				\
		.post_handler = divert_after,				\
	},								\
	.instead = instead_of_##function,				\
	.key = &STATIC_CALL_KEY(original_##function),			\
	.tramp = STATIC_CALL_TRAMP_ADDR(original_##function),		\
}

/* divert.c. Process context; what the first refuses it has explained in the log. */
int divert_begin(struct diversion *d, unsigned int count, const char *what);
void divert_end(struct diversion *d, unsigned int count);	/* returns when no call is in progress */

/* Any context: the replacement is about to return. */
void divert_done(void);

/* For the macros above. */
unsigned long divert_nowhere(DIVERT_ARGS);
int divert_handler(struct kprobe *p, struct pt_regs *regs);
void divert_after(struct kprobe *p, struct pt_regs *regs, unsigned long flags);

#endif
