// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults of threads that are away, served without going back to user mode.
 *
 * A passage costs more than a fault does, so that a thread that touches new
 * anonymous memory page by page is served several pages a passage: those after
 * the one that it faults on, if the last faults came in ascending order. Linux does
 * as much for reads of files (do_fault_around()), here as natively.
 *
 * The pages ahead become resident before they are touched, and some never are.
 * A thread has credit for them, in quarters of a page: CREDIT_START pages at first, and
 * a quarter for each page that it touches in order. It gets those ahead back when it
 * faults on the page behind them, since it then came past them. So a thread never
 * holds more pages it did not touch than CREDIT_START and a quarter of those that it did.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <asm/trap_pf.h>
#include "compat.h"
#include "thread.h"

/* The same fault at the same instruction so often in a row is for Linux to see natively. */
#define REPEATS		4

#define QUARTERS	4	/* of a page: the unit of credit */
#define CREDIT_START	(16 * QUARTERS)
#define CREDIT_MOST	(128 * QUARTERS)

/* A control group with less room than this serves no page that was not asked for. */
#define GROUP_ROOM	((1 << 20) / PAGE_SIZE)

/* Mappings whose pages are special, or locked when they come, or said to be used in no order. */
#define VM_ONE_BY_ONE	(VM_SHARED | VM_LOCKED | VM_SPECIAL | VM_HUGETLB | VM_GROWSDOWN | VM_RAND_READ)

void faults_fresh(struct faults *f)
{
	memset(f, 0, sizeof(*f));
	f->credit = CREDIT_START;
}

/* The same fault again and again: is it one that serving does not help? */
static bool repeats(struct faults *f, u64 address, u64 ip)
{
	if (address != f->address || ip != f->ip) {
		f->address = address;
		f->ip = ip;
		f->repeats = 0;
		return false;
	}
	if (++f->repeats < REPEATS)
		return false;
	f->repeats = 0;
	return true;
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
 * How many pages from there on, at the most that many, have nothing in the page table:
 * not even the zero page, nor a place in swap. All of one last-level table, which
 * exists already. As in get_user_pages_fast(), interrupts are off so that no table
 * is freed meanwhile; what is found may change all the same.
 */
static unsigned int untouched(struct mm_struct *mm, u64 address, unsigned int most)
{
	unsigned int n = 0;
	unsigned long flags;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd, table;
	pte_t *pte;

	local_irq_save(flags);
	pgd = pgd_offset(mm, address);
	if (pgd_none(READ_ONCE(*pgd)) || pgd_bad(READ_ONCE(*pgd)))
		goto out;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(READ_ONCE(*p4d)) || p4d_bad(READ_ONCE(*p4d)))
		goto out;
	pud = pud_offset(p4d, address);
	if (pud_none(READ_ONCE(*pud)) || pud_bad(READ_ONCE(*pud)))
		goto out;
	pmd = pmd_offset(pud, address);
	table = READ_ONCE(*pmd);
	if (pmd_none(table) || pmd_bad(table))	/* a huge page is bad, too */
		goto out;
	pte = pte_offset_kernel(&table, address);
	while (n < most && pte_none(READ_ONCE(pte[n])))
		n++;
out:
	local_irq_restore(flags);
	return n;
}

static struct stream *find_stream(struct faults *f, u64 page)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(f->stream); i++)
		if (f->stream[i].next == page)
			return &f->stream[i];
	return NULL;
}

/* A fault that continues nothing. The oldest run ends, and what was served ahead of it is spent. */
static void begin_stream(struct faults *f, u64 page)
{
	struct stream *s = &f->stream[f->oldest];

	if (s->ahead)
		f->window = f->window / 2;
	s->next = page + 1;
	s->ahead = 0;
	f->oldest = (f->oldest + 1) % ARRAY_SIZE(f->stream);
}

/* Pages from that one on that may be served together: all of one mapping and one page table. */
static unsigned int within(const struct vm_area_struct *vma, u64 address, unsigned int most)
{
	u64 end = min_t(u64, vma->vm_end, ALIGN(address, PMD_SIZE));

	return min_t(u64, most, (end - address) >> PAGE_SHIFT);
}

/* The thread came past what was served ahead: it has touched that, and this page. */
static void earn(struct faults *f, const struct stream *s)
{
	f->credit += s->ahead * QUARTERS + s->ahead + 1;
	f->credit = min_t(unsigned int, f->credit, CREDIT_MOST);
}

/*
 * The page at address has just been served. The lock is not dropped: what holds
 * of the mapping holds for all pages. They get the kind of fault that the thread
 * had: the zero page if it read.
 */
static void serve_ahead(struct faults *f, struct vm_area_struct *vma, u64 address, unsigned int flags)
{
	u64 page = address >> PAGE_SHIFT, next = (page + 1) << PAGE_SHIFT;
	unsigned int most = READ_ONCE(apk_param_fault_around), n, i;
	struct stream *s;

	if (most <= 1 || !vma_is_anonymous(vma) || vma->vm_flags & VM_ONE_BY_ONE)
		return;
	s = find_stream(f, page);
	if (!s) {
		begin_stream(f, page);
		return;
	}
	earn(f, s);
	f->window = clamp(f->window * 2, 1U, most - 1);
	s->next = page + 1;
	s->ahead = 0;
	n = within(vma, next, min(f->window, f->credit / QUARTERS));
	n = n ? untouched(vma->vm_mm, next, n) : 0;
	if (!n || !group_has_room(vma->vm_mm))
		return;
	for (i = 0; i < n && !signal_pending(current); i++)
		if (fixup_user_fault(vma->vm_mm, next + i * PAGE_SIZE, flags, NULL))
			break;
	s->next += i;
	s->ahead = i;
	f->credit -= i * QUARTERS;
	apk_add(APK_H_FAULT_AHEAD, i);
}

/*
 * What fixup_user_fault() does not check (growing stacks, execute permission,
 * userfaultfd, protection keys, reserved bits, shadow stacks) goes home.
 */
bool fault_serve(struct faults *f, const struct apk_slot *s)
{
	struct mm_struct *mm = current->mm;
	u64 address = s->cr2, error = s->regs.err;
	unsigned int flags = error & X86_PF_WRITE ? FAULT_FLAG_WRITE : 0;
	struct vm_area_struct *vma;
	bool unlocked = false;
	int ret = -EFAULT;

	if (repeats(f, address, s->regs.rip))
		return false;
	if (error & ~(u64)(X86_PF_PROT | X86_PF_WRITE | X86_PF_USER | X86_PF_INSTR))
		return false;
	mmap_read_lock(mm);
	vma = find_vma(mm, address);
	if (vma && vma->vm_start <= address &&
	    !(vma->vm_flags & (VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)) &&
	    (!(error & X86_PF_INSTR) || vma->vm_flags & VM_EXEC))
		ret = fixup_user_fault(mm, address, flags, &unlocked);
	if (!ret && !unlocked && !(error & X86_PF_PROT))
		serve_ahead(f, vma, address, flags);
	mmap_read_unlock(mm);
	return !ret;
}
