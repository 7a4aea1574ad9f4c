// SPDX-License-Identifier: GPL-2.0
/*
 * Pages served ahead of those that a thread away asks for.
 *
 * A passage costs more than a fault does. So a thread that touches new anonymous
 * memory is served several pages a passage, on two guesses: that it goes on in
 * ascending order, as far as its last faults did, and, when it was right to serve it
 * pages ahead before, that it uses the pages around as well. Linux does as much for
 * reads of files (do_fault_around()), here as natively.
 *
 * Such pages become resident before they are touched, and some never are. They are
 * served old, as Linux serves those around a file's on processors that say so
 * (arch_wants_old_prefaulted_pte()): the processor says of each when it is touched.
 * A thread has credit for those that are not: CREDIT_START pages at first, and one
 * for each that it touched in order or that it was right to serve. So it never holds more
 * pages that it did not touch than CREDIT_START and as many as it touched.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "compat.h"
#include "thread.h"

#define CREDIT_START	16	/* pages */
#define CREDIT_MOST	256
#define AROUND		16	/* pages, aligned, as Linux's fault_around_bytes */
#define MOST		64	/* pages at a time: bits of struct guess */
#define LOOKS		4	/* guesses at a time */

/* A control group with less room than this serves no page that was not asked for. */
#define GROUP_ROOM	((1 << 20) / PAGE_SIZE)

/* Mappings whose pages are special, or locked when they come, or said to be used in no order. */
#define VM_ONE_BY_ONE	(VM_SHARED | VM_LOCKED | VM_SPECIAL | VM_HUGETLB | VM_GROWSDOWN | VM_RAND_READ)

void ahead_fresh(struct ahead *a)
{
	memset(a, 0, sizeof(*a));
	a->credit = CREDIT_START;
}

#ifdef CONFIG_MEMCG
/* Can that group, and those above it, take more pages without reclaiming any? */
static bool counters_have_room(struct page_counter *c)
{
	for (; c; c = c->parent)
		if (page_counter_read(c) + GROUP_ROOM > min(READ_ONCE(c->max), READ_ONCE(c->high)))
			return false;
	return true;
}

static bool group_has_room(struct mm_struct *mm)
{
	struct mem_cgroup *group;
	bool room;

	if (mem_cgroup_disabled())
		return true;
	group = get_mem_cgroup_from_mm(mm);
	room = counters_have_room(&group->memory);
	if (room && !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		room = counters_have_room(&group->memsw);
	mem_cgroup_put(group);
	return room;
}
#else
static bool group_has_room(struct mm_struct *mm)
{
	return true;
}
#endif

/*
 * The entry of a last-level table, if there is that table. Interrupts are off, as in
 * get_user_pages_fast(), so that no table is freed meanwhile; what is in it may change
 * all the same.
 */
static pte_t *entry_of(struct mm_struct *mm, u64 address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd, table;

	if (pgd_none(READ_ONCE(*pgd)) || pgd_bad(READ_ONCE(*pgd)))
		return NULL;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(READ_ONCE(*p4d)) || p4d_bad(READ_ONCE(*p4d)))
		return NULL;
	pud = pud_offset(p4d, address);
	if (pud_none(READ_ONCE(*pud)) || pud_bad(READ_ONCE(*pud)))
		return NULL;
	pmd = pmd_offset(pud, address);
	table = READ_ONCE(*pmd);
	if (pmd_none(table) || pmd_bad(table))	/* a huge page is bad, too */
		return NULL;
	return pte_offset_kernel(&table, address);
}

/*
 * How many pages from there on, at the most that many, have nothing in the page table:
 * not even the zero page, nor a place in swap. All of one last-level table.
 */
static unsigned int untouched(struct mm_struct *mm, u64 address, unsigned int most)
{
	unsigned int n = 0;
	unsigned long flags;
	pte_t *pte;

	local_irq_save(flags);
	pte = entry_of(mm, address);
	while (pte && n < most && pte_none(READ_ONCE(pte[n])))
		n++;
	local_irq_restore(flags);
	return n;
}

/*
 * Takes the mark of access off that many pages. An entry that changes meanwhile stays
 * as it is. With a LOCK prefix of our own: application CPUs walk these tables.
 */
static void make_old(struct mm_struct *mm, u64 address, unsigned int n)
{
	unsigned long flags;
	pte_t *pte;

	local_irq_save(flags);
	pte = entry_of(mm, address);
	for (; pte && n; pte++, n--) {
		pte_t old = READ_ONCE(*pte);

		if (pte_present(old))
			__atomic_compare_exchange_n(&pte->pte, &old.pte, pte_mkold(old).pte, false,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	local_irq_restore(flags);
}

/* Which pages of the guess have been touched since; those that are gone count for nothing any more. */
static u64 touched(struct mm_struct *mm, struct guess *g)
{
	u64 bits = g->pages, found = 0;
	unsigned long flags;
	unsigned int i;
	pte_t *first;

	local_irq_save(flags);
	first = entry_of(mm, g->page << PAGE_SHIFT);
	for (; bits; bits &= bits - 1) {
		i = __builtin_ctzll(bits);
		if (!first || !pte_present(READ_ONCE(first[i])))
			g->pages &= ~BIT_ULL(i);
		else if (pte_young(READ_ONCE(first[i])))
			found |= BIT_ULL(i);
	}
	local_irq_restore(flags);
	return found;
}

static void earn(struct ahead *a, unsigned int pages)
{
	a->credit = min_t(unsigned int, a->credit + pages, CREDIT_MOST);
}

/* Gives the credit back for what has been touched, or is not there any more; looks at LOOKS guesses in turn. */
static void settle(struct ahead *a, struct mm_struct *mm)
{
	unsigned int i, looks = 0;
	struct guess *g;
	u64 before, right;

	for (i = 0; i < ARRAY_SIZE(a->guess) && looks < LOOKS; i++) {
		g = &a->guess[a->next];
		a->next = (a->next + 1) % ARRAY_SIZE(a->guess);
		before = g->pages;
		if (!before)
			continue;
		looks++;
		right = touched(mm, g);
		earn(a, hweight64(before & ~g->pages) + 2 * hweight64(right));
		a->proven |= right;
		g->pages &= ~right;
	}
}

/* With no room, what of another guess was not touched is spent. */
static void note(struct ahead *a, u64 page, unsigned int n)
{
	unsigned int i = 0;

	while (i < ARRAY_SIZE(a->guess) - 1 && a->guess[i].pages)
		i++;
	a->guess[i] = (struct guess){ .page = page, .pages = GENMASK_ULL(n - 1, 0) };
	a->credit -= n;
}

static struct run *find_run(struct ahead *a, u64 page)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(a->run); i++)
		if (a->run[i].next == page)
			return &a->run[i];
	return NULL;
}

/* A fault that continues nothing. The oldest run ends. */
static struct run *begin_run(struct ahead *a, u64 page)
{
	struct run *r = &a->run[a->oldest];

	r->next = page + 1;
	r->window = 0;
	a->oldest = (a->oldest + 1) % ARRAY_SIZE(a->run);
	return r;
}

/* Pages from that one on that may be served together: all of one mapping and one page table. */
static unsigned int within(const struct vm_area_struct *vma, u64 address, unsigned int most)
{
	u64 end = min_t(u64, vma->vm_end, ALIGN(address + 1, PMD_SIZE));

	return min_t(u64, most, (end - address) >> PAGE_SHIFT);
}

/*
 * Serves new pages from that one on, and says how many: up to the first that has come
 * already. The lock has not been dropped since the fault that was asked for: what
 * holds of the mapping holds for all pages. They get the kind of fault that the thread had: the
 * zero page if it read.
 */
static unsigned int serve(struct ahead *a, struct vm_area_struct *vma, u64 page, unsigned int most,
			  unsigned int flags)
{
	u64 address = page << PAGE_SHIFT;
	unsigned int n = within(vma, address, min(most, a->credit)), i;

	n = n ? untouched(vma->vm_mm, address, n) : 0;
	if (!n || !group_has_room(vma->vm_mm))
		return 0;
	for (i = 0; i < n && !signal_pending(current); i++)
		if (fixup_user_fault(vma->vm_mm, address + i * PAGE_SIZE, flags, NULL))
			break;
	if (!i)
		return 0;
	make_old(vma->vm_mm, address, i);
	note(a, page, i);
	apk_add(APK_H_FAULT_AHEAD, i);
	return i;
}

/* The pages of a block around that one. What a thread starts with is for runs. */
static void serve_around(struct ahead *a, struct run *r, struct vm_area_struct *vma, u64 page,
			 unsigned int block, unsigned int flags)
{
	u64 at = max_t(u64, round_down(page, block), vma->vm_start >> PAGE_SHIFT);
	u64 end = min_t(u64, round_down(page, block) + block, vma->vm_end >> PAGE_SHIFT);
	unsigned int n;

	for (; at < end && a->credit >= block; at += n) {
		n = serve(a, vma, at, end - at, flags);
		if (at == r->next)
			r->next += n;
		n = max(n, 1U);		/* it is there */
	}
}

/* The page at address has just been served, with the mm locked for reading ever since. */
void ahead_serve(struct ahead *a, struct vm_area_struct *vma, u64 address, unsigned int flags)
{
	unsigned int most = min_t(unsigned int, READ_ONCE(apk_param_fault_around), MOST);
	unsigned int block = min_t(unsigned int, AROUND, most ? rounddown_pow_of_two(most) : 0);
	u64 page = address >> PAGE_SHIFT;
	struct run *r;

	if (most <= 1 || !vma_is_anonymous(vma) || vma->vm_flags & VM_ONE_BY_ONE)
		return;
	settle(a, vma->vm_mm);
	r = find_run(a, page);
	if (!r) {
		r = begin_run(a, page);
		if (a->proven)
			serve_around(a, r, vma, page, block, flags);
		return;
	}
	earn(a, 1);
	r->window = min(4 * r->window + 3, most - 1);
	r->next = page + 1;
	r->next += serve(a, vma, r->next, r->window, flags);
}
