// SPDX-License-Identifier: GPL-2.0
/*
 * What a Linux without SMP does in two steps, done in one.
 *
 * Such a kernel has no LOCK prefixes. Its read-modify-writes of memory that
 * application CPUs write at the same time lose updates: of user words in a few
 * futex operations, and of the dirty bit when it clears the accessed bit of a
 * page table entry. Most changes of entries lie in a range that the MMU notifier
 * announces (space.c). The functions below are those that do not; while one of
 * them runs no application CPU touches user memory. docs/uniprocessor.md has
 * the whole list and how it was made.
 *
 * A kprobe at a function's first instruction diverts the call to around(),
 * which holds the CPUs and calls the function. Unlike a return probe this has no
 * limit on calls in progress, none of which may be missed.
 */
#include "core.h"

#ifdef CONFIG_SMP

int nolock_init(void)
{
	return 0;
}

void nolock_exit(void)
{
}

#else

#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pagewalk.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>

/* Six words: all that a function can get in registers. */
#define ARGS	unsigned long a, unsigned long b, unsigned long c, unsigned long d, \
		unsigned long e, unsigned long f
#define PASS	a, b, c, d, e, f

struct guarded {
	struct kprobe probe;
	unsigned long (*instead)(unsigned long a, unsigned long b, unsigned long c,
				 unsigned long d, unsigned long e, unsigned long f);
};

/* Calls in progress, counted before the first instruction of the replacement. */
static atomic_t in_progress = ATOMIC_INIT(0);

/*
 * A function may sleep, in a fault that a user program serves. Threads of that
 * program must run then, so that the hold lasts only while the caller runs.
 */
static void hold_again(struct preempt_notifier *n, int cpu)
{
	space_hold_all();
}

static void hold_pauses(struct preempt_notifier *n, struct task_struct *next)
{
	space_release_all();
}

static struct preempt_ops hold_ops = { .sched_in = hold_again, .sched_out = hold_pauses };

/* Calls the function with all application CPUs held. */
static unsigned long held_call(const struct guarded *g, ARGS)
{
	unsigned long (*function)(ARGS) = (void *)g->probe.addr;
	struct preempt_notifier notifier;
	unsigned long result;

	preempt_notifier_init(&notifier, &hold_ops);
	preempt_disable();
	space_hold_all();
	preempt_notifier_register(&notifier);
	preempt_enable();
	result = function(PASS);
	preempt_disable();
	preempt_notifier_unregister(&notifier);
	space_release_all();
	preempt_enable();
	return result;
}

/* mm: whose entries the function changes; NULL: it changes words of user memory, which may be shared. */
static unsigned long around(const struct guarded *g, struct mm_struct *mm, ARGS)
{
	unsigned long (*function)(ARGS) = (void *)g->probe.addr;
	unsigned long result;

	if (mm && !mm_has_notifiers(mm))
		result = function(PASS);
	else
		result = held_call(g, PASS);
	atomic_dec(&in_progress);
	return result;
}

static struct guarded guarded[];

static struct mm_struct *mm_of_vma(unsigned long vma)
{
	return ((struct vm_area_struct *)vma)->vm_mm;
}

static struct mm_struct *mm_of_walk(unsigned long walk)
{
	return ((struct mm_walk *)walk)->mm;
}

/* X(function, mm): every function to guard, and whose page table entries it changes. */
#ifdef CONFIG_FUTEX
#define FUTEX_FUNCTIONS(X)						\
	X(futex_wake_op, NULL)						\
	X(handle_futex_death, NULL)
#else
#define FUTEX_FUNCTIONS(X)
#endif
#ifdef CONFIG_FUTEX_PI
#define PI_FUNCTIONS(X)							\
	X(futex_cmpxchg_value_locked, NULL)
#else
#define PI_FUNCTIONS(X)
#endif
#ifdef CONFIG_ADVISE_SYSCALLS
#define ADVISE_FUNCTIONS(X)						\
	X(madvise_cold_or_pageout_pte_range, mm_of_walk(d))
#else
#define ADVISE_FUNCTIONS(X)
#endif
#ifdef CONFIG_PROC_PAGE_MONITOR
#define MONITOR_FUNCTIONS(X)						\
	X(clear_refs_pte_range, mm_of_walk(d))
#else
#define MONITOR_FUNCTIONS(X)
#endif
#ifdef CONFIG_IDLE_PAGE_TRACKING
#define IDLE_FUNCTIONS(X)						\
	X(page_idle_clear_pte_refs_one, mm_of_vma(b))
#else
#define IDLE_FUNCTIONS(X)
#endif
#define GUARDED_FUNCTIONS(X)						\
	FUTEX_FUNCTIONS(X) PI_FUNCTIONS(X) ADVISE_FUNCTIONS(X)		\
	MONITOR_FUNCTIONS(X) IDLE_FUNCTIONS(X)				\
	X(folio_referenced_one, mm_of_vma(b))

enum {
#define X(name, mm) GUARD_##name,
	GUARDED_FUNCTIONS(X)
#undef X
};

#define X(name, mm)							\
static unsigned long instead_of_##name(ARGS)				\
{									\
	return around(&guarded[GUARD_##name], mm, PASS);		\
}
GUARDED_FUNCTIONS(X)
#undef X

/* At the first instruction. Returning 1 goes on at regs->ip. */
static int divert(struct kprobe *p, struct pt_regs *regs)
{
	struct guarded *g = container_of(p, struct guarded, probe);
	unsigned long caller = *(unsigned long *)regs->sp;

	if (within_module(caller, THIS_MODULE))
		return 0;
	atomic_inc(&in_progress);
	regs->ip = (unsigned long)g->instead;
	return 1;
}
NOKPROBE_SYMBOL(divert);

/* With one, kprobes does not replace the breakpoint by a jump, which could not divert. */
static void after(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static struct guarded guarded[] = {
#define X(name, mm)							\
	[GUARD_##name] = {						\
		.probe = {						\
			.symbol_name = #name,				\
			.pre_handler = divert,				\
			.post_handler = after,				\
		},							\
		.instead = instead_of_##name,				\
	},
	GUARDED_FUNCTIONS(X)
#undef X
};

static void unguard(unsigned int count)
{
	while (count--)
		unregister_kprobe(&guarded[count].probe);
	while (atomic_read(&in_progress))
		msleep(20);
	synchronize_rcu_tasks();	/* the last one may stand before its return */
	preempt_notifier_dec();
}

int nolock_init(void)
{
	unsigned int i;
	int err;

	if (IS_ENABLED(CONFIG_LRU_GEN) || IS_ENABLED(CONFIG_DAMON)) {
		pr_err("this kernel has no SMP but CONFIG_LRU_GEN or CONFIG_DAMON, which lose dirty bits then: build it without them\n");
		return -EOPNOTSUPP;
	}
	preempt_notifier_inc();
	for (i = 0; i < ARRAY_SIZE(guarded); i++) {
		err = register_kprobe(&guarded[i].probe);
		if (!err)
			continue;
		pr_err("this kernel has no SMP and %s() cannot be guarded (error %d): build it with CONFIG_KPROBES and CONFIG_KALLSYMS\n",
		       guarded[i].probe.symbol_name, err);
		unguard(i);
		return -EOPNOTSUPP;
	}
	return 0;
}

void nolock_exit(void)
{
	unguard(ARRAY_SIZE(guarded));
}

#endif
