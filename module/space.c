// SPDX-License-Identifier: GPL-2.0
/*
 * Address spaces as application CPUs see them.
 *
 * An application CPU runs on the process's own page tables below the top
 * level; of the top level it copies the user half from a page that home keeps
 * (struct apk_space). An MMU notifier keeps the translations coherent: every
 * notification flushes everything on every CPU that has the space loaded and
 * waits for the acknowledgement. Complete flushes are what makes one rule
 * right for all of Linux's paths, those that free page tables included.
 *
 * Order (pairs with the loading side, kernel/space):
 *   home: write top[] and generation; full barrier; read cpuhead.space;
 *         request, interrupt, wait.
 *   CPU:  write cpuhead.space; full barrier; read generation and top[]; load.
 * Either home sees the CPU, or the CPU sees the new top level. A CPU clears
 * cpuhead.space only after it loaded a table without the space.
 *
 * A Linux without LOCK prefixes changes page table entries and words of user
 * memory in two steps, between which a CPU's own update would be lost. There
 * home holds the CPUs meanwhile: it raises a number, then flushes in the order
 * above, with the number in the place of top[]. See docs/uniprocessor.md.
 */
#include <linux/hashtable.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <asm/pgtable.h>
#include <asm/tsc.h>
#include "compat.h"
#include "thread.h"
#include "trace.h"

#define ENTRY_NX	BIT_ULL(63)

struct space {
	struct mmu_notifier notifier;	/* one of its users a reference below */
	struct hlist_node node;		/* in spaces, by mm */
	struct mm_struct *mm;		/* as in the notifier, which comes to know it later */
	atomic_t refs;			/* threads bound; goes up again while the notifier lives */
	raw_spinlock_t lock;		/* page->top[], page->generation, and the next three */
	unsigned int users;		/* of the mm, as last counted; not less than threads that use it */
	unsigned int known;		/* of them: see waits.c */
	bool spoilt;			/* waiters have been moved */
	struct apk_space *page;
};

static atomic64_t next_id = ATOMIC64_INIT(0);

/* Every space there is. One that ends and its successor may show the same mm for a while. */
static DEFINE_HASHTABLE(spaces, 8);
static DEFINE_RAW_SPINLOCK(spaces_lock);

static struct space *of(struct mmu_notifier *n)
{
	return container_of(n, struct space, notifier);
}

struct mm_struct *space_mm(struct space *s)
{
	return s->notifier.mm;
}

u64 space_id(struct space *s)
{
	return s->page->id;
}

u64 space_phys(struct space *s)
{
	return virt_to_phys(s->page);
}

/* Under its lock. True: the CPUs are to copy it afresh. */
static bool sync_entry(struct space *s, const u64 *top, unsigned int i)
{
	/* Page table isolation sets NX in the top level of a table the kernel runs on. */
	u64 entry = READ_ONCE(top[i]) & ~ENTRY_NX;

	if (s->page->top[i] == entry)
		return false;
	WRITE_ONCE(s->page->top[i], entry);
	return true;
}

static void changed_top(struct space *s)
{
	virt_store_release(&s->page->generation, s->page->generation + 1);
}

static void sync_top(struct space *s, struct mm_struct *mm)
{
	const u64 *top = (const u64 *)mm->pgd;
	unsigned long flags;
	bool changed = false;
	unsigned int i;

	raw_spin_lock_irqsave(&s->lock, flags);
	for (i = 0; i < APK_TOP_USER; i++)
		changed |= sync_entry(s, top, i);
	if (changed)
		changed_top(s);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

/*
 * What Linux takes out of the table is shown before the flush that it asks for
 * (notifier_invalidate()). What it puts in is not told: a CPU that misses it
 * faults, and is shown it then.
 */
void space_sync(struct space *s)
{
	sync_top(s, s->notifier.mm);
}

void space_reveal(struct space *s, u64 address)
{
	unsigned int i = pgd_index(address);
	unsigned long flags;

	if (i >= APK_TOP_USER)
		return;
	raw_spin_lock_irqsave(&s->lock, flags);
	if (sync_entry(s, (const u64 *)s->notifier.mm->pgd, i))
		changed_top(s);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

static void interrupt(struct acpu *a)
{
	acpu_ipi(a, APK_VEC_FLUSH);
	apk_count(APK_H_FLUSH_IPI);
}

/*
 * Asks for a flush; returns whether by an interrupt. A CPU that polls needs none: it looks
 * at flush_req all the time, and before it leaves that state. Full barrier: it stores
 * RUN, or HALT, and then looks at flush_req once more (kernel/idle); who reads POLL
 * here, after flush_req went up, did so before that store. With RUN it looks with
 * interrupts off up to user mode, with HALT up to the moment in which any wakes it.
 */
static bool ask(struct acpu *a)
{
	__atomic_fetch_add(&a->head->flush_req, 1, __ATOMIC_SEQ_CST);
	if (READ_ONCE(a->head->state) == APK_CPU_POLL)
		return false;
	interrupt(a);
	return true;
}

/*
 * One that was not interrupted is after a millisecond: POLL may have been written by who
 * is about to wake it.
 */
static bool acknowledged(struct acpu *a, bool interrupted)
{
	u64 want = READ_ONCE(a->head->flush_req);
	u64 start = rdtsc_ordered(), end = apk_deadline(), now;

	while (READ_ONCE(a->head->flush_ack) < want) {
		if (READ_ONCE(a->failed))
			return true;	/* stopped by INIT: it holds no translation */
		now = rdtsc_ordered();
		if (now > end)
			return false;
		if (!interrupted && now - start > tsc_khz) {
			interrupt(a);
			interrupted = true;
		}
		cpu_relax();
	}
	return true;
}

#define ANY_SPACE	0	/* no space's id, and what a CPU says without one */

static bool is_space(u64 loaded, u64 id)
{
	return loaded && (id == ANY_SPACE || loaded == id);
}

static bool anything(u64 loaded, u64 arg)
{
	return true;
}

/*
 * On every CPU for whose loaded space the predicate holds. Any context,
 * interrupts off included. Returns how many CPUs were asked. All of it is
 * one RCU read section: a CPU is not given back before it is over.
 */
static __always_inline unsigned int flush_where(bool (*concerned)(u64 loaded, u64 arg), u64 arg)
{
	DECLARE_BITMAP(asked, APK_MAX_CPUS) = {};
	DECLARE_BITMAP(interrupted, APK_MAX_CPUS) = {};
	unsigned int i, n = 0;

	rcu_read_lock();
	mb();	/* see the order above */
	for (i = 0; i < apk_nr_cpus; i++) {
		struct acpu *a = &apk_cpus[i];
		u64 loaded = READ_ONCE(a->head->space);

		if (!concerned(loaded, arg) || !READ_ONCE(a->started) || READ_ONCE(a->failed))
			continue;
		__set_bit(i, asked);
		if (ask(a))
			__set_bit(i, interrupted);
		n++;
	}
	for_each_set_bit(i, asked, apk_nr_cpus) {
		if (!acknowledged(&apk_cpus[i], test_bit(i, interrupted)))
			acpu_fail(&apk_cpus[i], "it does not acknowledge a flush");
	}
	rcu_read_unlock();
	return n;
}

/* Under the lock. A full barrier follows the store. */
static void show_unknown(struct space *s)
{
	u64 unknown = s->spoilt ? UINT_MAX : s->users - s->known;

	if (s->page->unknown != unknown)
		__atomic_store_n(&s->page->unknown, unknown, __ATOMIC_SEQ_CST);
}

void space_users(struct space *s, int known)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&s->lock, flags);
	s->users = atomic_read(&s->notifier.mm->mm_users);
	s->known += known;
	show_unknown(s);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

void space_known(struct space *s, int known)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&s->lock, flags);
	s->known += known;
	show_unknown(s);
	raw_spin_unlock_irqrestore(&s->lock, flags);
}

void space_wait(struct space *s, unsigned int bucket, int waiters)
{
	__atomic_fetch_add(&s->page->waiting[bucket], waiters, __ATOMIC_SEQ_CST);
}

void space_spoil(struct mm_struct *mm)
{
	unsigned long flags;
	struct space *s;

	raw_spin_lock_irqsave(&spaces_lock, flags);
	hash_for_each_possible(spaces, s, node, (unsigned long)mm) {
		if (s->mm != mm)
			continue;
		raw_spin_lock(&s->lock);
		s->spoilt = true;
		show_unknown(s);
		raw_spin_unlock(&s->lock);
	}
	raw_spin_unlock_irqrestore(&spaces_lock, flags);
}

static unsigned int flush(u64 id)
{
	return flush_where(is_space, id);
}

static bool shows_mm(u64 loaded, u64 mm)
{
	unsigned long flags;
	struct space *s;
	bool found = false;

	if (!loaded)
		return false;
	raw_spin_lock_irqsave(&spaces_lock, flags);
	hash_for_each_possible(spaces, s, node, mm)
		found |= s->mm == (struct mm_struct *)mm && s->page->id == loaded;
	raw_spin_unlock_irqrestore(&spaces_lock, flags);
	return found;
}

#ifdef CONFIG_MEMBARRIER
static bool is_registered(u64 loaded, u64 state)
{
	unsigned long flags;
	struct space *s;
	bool found = false;
	int bucket;

	if (!loaded)
		return false;
	raw_spin_lock_irqsave(&spaces_lock, flags);
	hash_for_each(spaces, bucket, s, node)
		found |= s->page->id == loaded && atomic_read(&s->mm->membarrier_state) & state;
	raw_spin_unlock_irqrestore(&spaces_lock, flags);
	return found;
}

void space_barrier_registered(int state)
{
	flush_where(is_registered, state);
}
#endif

void space_barrier(struct mm_struct *mm)
{
	if (mm)
		flush_where(shows_mm, (unsigned long)mm);
	else
		flush(ANY_SPACE);
}

static void notifier_invalidate(struct mmu_notifier *n, struct mm_struct *mm,
				unsigned long start, unsigned long end)
{
	struct space *s = of(n);
	unsigned int cpus;

	apk_count(APK_H_FLUSH);
	sync_top(s, mm);
	cpus = flush(s->page->id);
	trace_apkern_flush(s->page->id, start, end, cpus);
}

#ifdef APK_HOLD_RANGES
/* Linux changes entries of the range from now on. Does not sleep, so that blockable does not matter. */
static int notifier_range_start(struct mmu_notifier *n, const struct mmu_notifier_range *range)
{
	struct space *s = of(n);

	apk_count(APK_H_HOLD);
	__atomic_fetch_add(&s->page->held, 1, __ATOMIC_SEQ_CST);
	flush(s->page->id);
	return 0;
}

static void notifier_range_end(struct mmu_notifier *n, const struct mmu_notifier_range *range)
{
	__atomic_fetch_sub(&of(n)->page->held, 1, __ATOMIC_SEQ_CST);
}
#endif

void space_quiesce(void)
{
	flush_where(anything, 0);
}

void space_hold_all(void)
{
	apk_count(APK_H_HOLD);
	__atomic_fetch_add(&apk_global->held, 1, __ATOMIC_SEQ_CST);
	flush(ANY_SPACE);
}

void space_release_all(void)
{
	__atomic_fetch_sub(&apk_global->held, 1, __ATOMIC_SEQ_CST);
}

/* The mm dies. Nobody runs on it any more, but a CPU may still have it loaded. */
static void notifier_release(struct mmu_notifier *n, struct mm_struct *mm)
{
	struct space *s = of(n);
	unsigned long flags;

	raw_spin_lock_irqsave(&s->lock, flags);
	memset(s->page->top, 0, sizeof(s->page->top));
	changed_top(s);
	raw_spin_unlock_irqrestore(&s->lock, flags);
	flush(s->page->id);
}

static struct mmu_notifier *notifier_alloc(struct mm_struct *mm)
{
	struct space *s = kzalloc(sizeof(*s), GFP_KERNEL);
	unsigned long flags;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->page = (struct apk_space *)get_zeroed_page(GFP_KERNEL);
	if (!s->page) {
		kfree(s);
		return ERR_PTR(-ENOMEM);
	}
	raw_spin_lock_init(&s->lock);
	s->page->id = atomic64_inc_return(&next_id);
	s->mm = mm;
	raw_spin_lock_irqsave(&spaces_lock, flags);
	hash_add(spaces, &s->node, (unsigned long)mm);
	raw_spin_unlock_irqrestore(&spaces_lock, flags);
	return &s->notifier;
}

static void notifier_free(struct mmu_notifier *n)
{
	struct space *s = of(n);
	unsigned long flags;

	raw_spin_lock_irqsave(&spaces_lock, flags);
	hash_del(&s->node);
	raw_spin_unlock_irqrestore(&spaces_lock, flags);
	free_page((unsigned long)s->page);
	kfree(s);
}

static const struct mmu_notifier_ops notifier_ops = {
	.APK_INVALIDATE = notifier_invalidate,
#ifdef APK_HOLD_RANGES
	.invalidate_range_start = notifier_range_start,
	.invalidate_range_end = notifier_range_end,
#endif
	.release = notifier_release,
	.alloc_notifier = notifier_alloc,
	.free_notifier = notifier_free,
};

struct space *space_get(struct mm_struct *mm)
{
	struct mmu_notifier *n;

	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	n = mmu_notifier_get_locked(&notifier_ops, mm);
	mmap_write_unlock(mm);
	if (IS_ERR(n))
		return ERR_CAST(n);
	atomic_inc(&of(n)->refs);
	apk_count(APK_H_BIND);
	return of(n);
}

void space_put(struct space *s)
{
	/*
	 * After the last put no flush arrives: no CPU may still have the space
	 * loaded, not even idly, since it could walk freed tables speculatively.
	 * A CPU without a thread answers a flush by unloading.
	 */
	if (atomic_dec_and_test(&s->refs))
		flush(s->page->id);
	mmu_notifier_put(&s->notifier);
}

int space_init(void)
{
	BUILD_BUG_ON(sizeof(struct apk_space) > PAGE_SIZE);
	return 0;
}

void space_exit(void)
{
	mmu_notifier_synchronize();
}
