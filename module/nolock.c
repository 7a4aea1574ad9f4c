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
 * Each is diverted (divert.h) to one that holds the CPUs around the call.
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

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagewalk.h>
#include <linux/preempt.h>
#include "divert.h"

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

/* Around one call. */
struct hold {
	struct preempt_notifier notifier;
	bool on;
};

/* mm: whose entries the function changes; NULL: it changes words of user memory, which may be shared. */
static void hold_begin(struct hold *h, struct mm_struct *mm)
{
	h->on = !mm || mm_has_notifiers(mm);
	if (!h->on)
		return;
	preempt_notifier_init(&h->notifier, &hold_ops);
	preempt_disable();
	space_hold_all();
	preempt_notifier_register(&h->notifier);
	preempt_enable();
}

static void hold_end(struct hold *h)
{
	if (!h->on)
		return;
	preempt_disable();
	preempt_notifier_unregister(&h->notifier);
	space_release_all();
	preempt_enable();
}

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

#define X(name, mm)	DIVERT_AROUND(name, struct hold h; hold_begin(&h, mm), hold_end(&h))
GUARDED_FUNCTIONS(X)
#undef X

static struct diversion guarded[] = {
#define X(name, mm)	DIVERSION(name),
	GUARDED_FUNCTIONS(X)
#undef X
};

int nolock_init(void)
{
	int err;

	if (IS_ENABLED(CONFIG_LRU_GEN) || IS_ENABLED(CONFIG_DAMON)) {
		pr_err("this kernel has no SMP but CONFIG_LRU_GEN or CONFIG_DAMON, which lose dirty bits then: build it without them\n");
		return -EOPNOTSUPP;
	}
	preempt_notifier_inc();
	err = divert_begin(guarded, ARRAY_SIZE(guarded), "this kernel has no SMP");
	if (err)
		preempt_notifier_dec();
	return err;
}

void nolock_exit(void)
{
	divert_end(guarded, ARRAY_SIZE(guarded));
	preempt_notifier_dec();
}

#endif
