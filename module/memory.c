// SPDX-License-Identifier: GPL-2.0
/*
 * What application CPUs map: tables of their own, whose upper half holds the
 * window and the image and nothing of Linux's kernel. The addresses are in
 * abi/handover.h.
 *
 * A CPU has two top-level tables of home's paging depth with the same upper
 * half: idle_top, whose lower half is empty, and user_top, whose lower half
 * the CPU fills with the address space it loads.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/msr.h>
#include "compat.h"
#include "platform.h"

#define PAGES_MAX	16	/* tables and window pages of one CPU */
#define UPPER_ENTRY	511	/* of every table on the way to the window */

struct acpu_pages {
	u64 *idle_top, *user_top;
	u64 *window;		/* the window's last-level table */
	struct apk_cpu *cfg;
	struct apk_stat *stat;
	struct apk_log *log;
	void *page[PAGES_MAX];	/* all single pages, to free them */
	unsigned int count;
};

static u64 *identity;		/* the entry of idle_top that maps the trampoline, as a table */
static void *identity_page[4];

static unsigned int count_pages(size_t bytes)
{
	return DIV_ROUND_UP(bytes, PAGE_SIZE);
}

int memory_init(void)
{
	BUILD_BUG_ON(sizeof(struct apk_cpu) > PAGE_SIZE);
	BUILD_BUG_ON(sizeof(struct apk_stat) > PAGE_SIZE);
	BUILD_BUG_ON(sizeof(struct apk_home_stat) > PAGE_SIZE);
	BUILD_BUG_ON(sizeof(struct apk_log) > PAGE_SIZE);
	BUILD_BUG_ON(sizeof(struct apk_global) > APK_WIN_GLOBAL_MAX);

	apk_home = (void *)get_zeroed_page(GFP_KERNEL);
	apk_global = vzalloc(PAGE_ALIGN(sizeof(*apk_global)));
	if (!apk_home || !apk_global) {
		memory_exit();
		return -ENOMEM;
	}
	apk_global->version = APK_HANDOVER_VERSION;
	apk_global->tsc_khz = tsc_khz;
	return 0;
}

void memory_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(identity_page); i++) {
		free_page((unsigned long)identity_page[i]);
		identity_page[i] = NULL;
	}
	identity = NULL;
	vfree(apk_global);
	apk_global = NULL;
	free_page((unsigned long)apk_home);
	apk_home = NULL;
}

static void *new_page(struct acpu_pages *p, gfp_t where)
{
	void *page = NULL;

	if (!WARN_ON(p->count == PAGES_MAX))
		page = (void *)get_zeroed_page(GFP_KERNEL | where);
	if (page)
		p->page[p->count++] = page;
	return page;
}

static u64 *new_table(struct acpu_pages *p, u64 *entry)
{
	u64 *table = new_page(p, 0);

	if (table)
		*entry = virt_to_phys(table) | PT_TABLE;
	return table;
}

static void map(struct acpu_pages *p, u64 offset, phys_addr_t phys, u64 bits)
{
	p->window[offset >> PAGE_SHIFT] = phys | bits | PT_PRESENT | PT_USED | PT_NX;
}

/* Maps fresh zeroed pages read-write; returns the first, or NULL. */
static void *map_new(struct acpu_pages *p, u64 offset, unsigned int pages)
{
	void *first = NULL;
	unsigned int i;

	for (i = 0; i < pages; i++) {
		void *page = new_page(p, 0);

		if (!page)
			return NULL;
		if (!i)
			first = page;
		map(p, offset + i * PAGE_SIZE, virt_to_phys(page), PT_WRITE | PT_GLOBAL);
	}
	return first;
}

/*
 * Both top-level tables and the chain below their last entry. CR3 is loaded
 * with 32 bits in the trampoline, hence idle_top's place.
 */
static int build_tables(struct acpu_pages *p)
{
	u64 *entry, *pud, *pmd;

	p->idle_top = new_page(p, GFP_DMA32);
	p->user_top = new_page(p, 0);
	if (!p->idle_top || !p->user_top)
		return -ENOMEM;
	entry = &p->idle_top[UPPER_ENTRY];
	if (pgtable_l5_enabled()) {
		u64 *p4d = new_table(p, entry);

		if (!p4d)
			return -ENOMEM;
		entry = &p4d[UPPER_ENTRY];
	}
	pud = new_table(p, entry);
	pmd = pud ? new_table(p, &pud[(APK_WINDOW >> PUD_SHIFT) % PT_ENTRIES]) : NULL;
	if (!pmd)
		return -ENOMEM;
	p->window = new_table(p, &pmd[(APK_WINDOW >> PMD_SHIFT) % PT_ENTRIES]);
	if (!p->window)
		return -ENOMEM;
	image_map(pmd);
	p->user_top[UPPER_ENTRY] = p->idle_top[UPPER_ENTRY];
	return 0;
}

static const struct { u64 offset; unsigned int pages; } private_areas[] = {
	{ APK_WIN_PRIVATE, 1 },
	{ APK_WIN_STACK, (APK_WIN_STACK_TOP - APK_WIN_STACK) >> PAGE_SHIFT },
	{ APK_WIN_IST_DF, APK_WIN_IST_SIZE >> PAGE_SHIFT },
	{ APK_WIN_IST_NMI, APK_WIN_IST_SIZE >> PAGE_SHIFT },
	{ APK_WIN_IST_MC, APK_WIN_IST_SIZE >> PAGE_SHIFT },
	{ APK_WIN_IST_DB, APK_WIN_IST_SIZE >> PAGE_SHIFT },
};

static int map_private(struct acpu_pages *p)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(private_areas); i++)
		if (!map_new(p, private_areas[i].offset, private_areas[i].pages))
			return -ENOMEM;
	/* The CPU writes entries of its own: the slot, the space, the lower half. */
	map(p, APK_WIN_PT, virt_to_phys(p->window), PT_WRITE | PT_GLOBAL);
	map(p, APK_WIN_TOP, virt_to_phys(p->user_top), PT_WRITE | PT_GLOBAL);
	return 0;
}

static int map_shared(struct acpu_pages *p)
{
	unsigned int i;
	u64 base;

	p->cfg = map_new(p, APK_WIN_CPU, 1);
	p->stat = map_new(p, APK_WIN_STAT, 1);
	p->log = map_new(p, APK_WIN_LOG, 1);
	if (!p->cfg || !p->stat || !p->log)
		return -ENOMEM;
	for (i = 0; i < count_pages(sizeof(*apk_global)); i++)
		map(p, APK_WIN_GLOBAL + i * PAGE_SIZE,
		    PFN_PHYS(vmalloc_to_pfn((void *)apk_global + i * PAGE_SIZE)),
		    PT_WRITE | PT_GLOBAL);
	if (!lapic_x2apic()) {
		rdmsrl(MSR_IA32_APICBASE, base);
		map(p, APK_WIN_APIC, base & MSR_IA32_APICBASE_BASE,
		    PT_WRITE | PT_UNCACHED | PT_GLOBAL);
	}
	return 0;
}

static void free_pages_of(struct acpu_pages *p)
{
	unsigned int i;

	for (i = 0; i < p->count; i++)
		free_page((unsigned long)p->page[i]);
	kfree(p);
}

static struct acpu_pages *build(void)
{
	struct acpu_pages *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err;

	if (!p)
		return NULL;
	err = build_tables(p);
	if (!err)
		err = map_private(p);
	if (!err)
		err = map_shared(p);
	if (!err)
		return p;
	free_pages_of(p);
	return NULL;
}

static void wipe(const struct acpu_pages *p, u64 offset, unsigned int pages)
{
	unsigned int i;

	for (i = 0; i < pages; i++)
		memset(__va(p->window[(offset >> PAGE_SHIFT) + i] & PTE_PFN_MASK), 0, PAGE_SIZE);
}

/* What the CPU left there when it ran before. It is in INIT, and has no translations. */
static void wipe_private(struct acpu_pages *p)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(private_areas); i++)
		wipe(p, private_areas[i].offset, private_areas[i].pages);
	wipe(p, APK_WIN_CPU, 1);
	memset(p->user_top, 0, PAGE_SIZE / 2);
	memset(&p->window[APK_WIN_SLOT >> PAGE_SHIFT], 0, APK_SLOT_PAGES * sizeof(u64));
	p->window[APK_WIN_SPACE >> PAGE_SHIFT] = 0;
}

/*
 * The pages stay for the next time, until the module goes: who reads counters, log
 * or the reason of a failure need not know whether the CPU was given back.
 */
int memory_cpu_init(struct acpu *a)
{
	if (a->pages) {
		wipe_private(a->pages);
	} else {
		a->pages = build();
		if (!a->pages)
			return -ENOMEM;
		a->cfg = a->pages->cfg;
		a->log = a->pages->log;
		virt_store_release(&a->stat, a->pages->stat);	/* the log is there for whoever sees it */
	}
	a->cfg->idle_top = virt_to_phys(a->pages->idle_top);
	a->cfg->user_top = virt_to_phys(a->pages->user_top);
	return 0;
}

size_t memory_cpu_size(const struct acpu *a)
{
	return a->pages ? sizeof(*a->pages) + a->pages->count * PAGE_SIZE : 0;
}

/* The CPU must be in INIT, or never have been started: it walks these tables. */
void memory_cpu_exit(struct acpu *a)
{
	if (a->pages)
		free_pages_of(a->pages);
	a->pages = NULL;
	a->cfg = NULL;
	a->stat = NULL;
	a->log = NULL;
}

/*
 * One chain of tables serves all CPUs, which use the same page; it stays until
 * no CPU can walk it any more. The page is executable and not writable.
 */
static int build_identity(phys_addr_t page)
{
	static const unsigned int shifts[] = { P4D_SHIFT, PUD_SHIFT, PMD_SHIFT, PAGE_SHIFT };
	unsigned int i, first = pgtable_l5_enabled() ? 0 : 1;
	u64 entry = page | PT_PRESENT | PT_USED;

	for (i = ARRAY_SIZE(shifts); i-- > first;) {
		u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL);

		if (!table)
			return -ENOMEM;
		identity_page[i] = table;
		table[(page >> shifts[i]) % PT_ENTRIES] = entry;
		entry = virt_to_phys(table) | PT_TABLE;
	}
	identity = identity_page[first];
	return 0;
}

int memory_identity(struct acpu *a, phys_addr_t page, bool on)
{
	int err;

	if (!on) {
		a->pages->idle_top[0] = 0;
		return 0;
	}
	if (!identity) {
		err = build_identity(page);
		if (err)
			return err;
	}
	a->pages->idle_top[0] = virt_to_phys(identity) | PT_TABLE;
	return 0;
}
