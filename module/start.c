// SPDX-License-Identifier: GPL-2.0
/*
 * One CPU from INIT to its idle loop (Intel SDM volume 3, section 9.4.4).
 * A low page is borrowed for the trampoline while CPU hotplug is shut out:
 * Linux's own trampoline may lie there.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <asm/apicdef.h>
#include <asm/processor.h>
#include "compat.h"
#include "platform.h"

#define LOW_FIRST	0x1000		/* page 0 holds the BIOS's vectors and data */
#define LOW_END		0xa0000
#define INIT_MS		10		/* between INIT and the first startup interrupt */
#define SIPI_US		300		/* after which a CPU that heard the first one runs */
#define ALIVE_MS	2000

/* At apk_trampoline_data in trampoline.S. */
struct trampoline_data {
	u32 cr3, cr4, efer;
	u32 seen;	/* the CPU counts startup interrupts it obeyed */
	u64 entry;
	u32 target;	/* the far jump to long mode: offset, then selector */
	u16 target_cs, pad;
	u16 gdt_limit;
	u32 gdt_base;
} __packed;

static phys_addr_t low_page;

int start_init(void)
{
	phys_addr_t p;

	BUILD_BUG_ON(offsetof(struct trampoline_data, gdt_base) != 34);
	for (p = LOW_FIRST; p < LOW_END; p += PAGE_SIZE) {
		if (region_intersects(p, PAGE_SIZE, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) ==
		    REGION_INTERSECTS) {
			low_page = p;
			return 0;
		}
	}
	pr_err("no memory below 640 KiB to start CPUs from: not supported\n");
	return -EOPNOTSUPP;
}

static struct trampoline_data *data_in(void *trampoline)
{
	return trampoline + (apk_trampoline_data - apk_trampoline);
}

static void write_trampoline(struct acpu *a, void *to)
{
	struct trampoline_data *d = data_in(to);

	memcpy(to, apk_trampoline, apk_trampoline_end - apk_trampoline);
	d->cr3 = a->cfg->idle_top;
	d->cr4 = X86_CR4_PAE;
	/* From here on a broadcast machine check does not shut the machine down. */
	if (boot_cpu_has(X86_FEATURE_MCE))
		d->cr4 |= X86_CR4_MCE;
	if (pgtable_l5_enabled())
		d->cr4 |= X86_CR4_LA57;
	d->efer = a->cfg->efer & ~(u64)EFER_LMA;	/* the processor sets that one */
	d->entry = image_entry();
	d->target += low_page;
	d->gdt_base += low_page;
}

static void send_init(u32 apicid)
{
	lapic_icr(apicid, APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT);
	udelay(200);
	lapic_icr(apicid, APIC_INT_LEVELTRIG | APIC_DM_INIT);
}

void start_stop(struct acpu *a)
{
	send_init(a->apicid);
}

/* The second startup interrupt is for CPUs that miss the first one, as Linux sends it. */
static void send_startup(struct acpu *a, const struct trampoline_data *d)
{
	send_init(a->apicid);
	msleep(INIT_MS);
	lapic_icr(a->apicid, APIC_DM_STARTUP | low_page >> PAGE_SHIFT);
	udelay(SIPI_US);
	if (!READ_ONCE(d->seen))
		lapic_icr(a->apicid, APIC_DM_STARTUP | low_page >> PAGE_SHIFT);
}

static int wait_alive(struct acpu *a)
{
	unsigned int ms;

	for (ms = 0; ms < ALIVE_MS; ms++) {
		/* Pairs with the CPU's store: found_* are written before. */
		if (virt_load_acquire(&a->cfg->alive))
			return 0;
		usleep_range(500, 1000);
	}
	return -ETIMEDOUT;
}

/* What only the CPU itself could tell. */
static int check_found(struct acpu *a)
{
	u32 revision = boot_cpu_data.microcode;

	if (a->cfg->found_apicid != a->apicid) {
		pr_err("CPU %u answers as APIC id %u instead of %u: do not take it\n",
		       a->linux_cpu, a->cfg->found_apicid, a->apicid);
		return -ENODEV;
	}
	if (revision && a->cfg->found_microcode && a->cfg->found_microcode != revision) {
		pr_err("CPU %u has microcode %#x, home %#x: let Linux boot it first\n",
		       a->linux_cpu, a->cfg->found_microcode, revision);
		return -ENODEV;
	}
	return 0;
}

static int run(struct acpu *a, const struct trampoline_data *d)
{
	int err;

	WRITE_ONCE(a->started, true);
	send_startup(a, d);
	err = warp_test(a);
	if (!err)
		err = wait_alive(a);
	if (err == -ETIMEDOUT)
		pr_err("CPU %u did not start (it %s the startup interrupt): do not take it\n",
		       a->linux_cpu, READ_ONCE(d->seen) ? "obeyed" : "ignored");
	if (!err)
		err = check_found(a);
	if (err) {
		start_stop(a);
		WRITE_ONCE(a->started, false);
	}
	return err;
}

/* Lends the CPU the low page and takes it back when the CPU is past it, or in INIT. */
static int run_from_low_page(struct acpu *a)
{
	void *low = memremap(low_page, PAGE_SIZE, MEMREMAP_WB);
	void *saved = low ? kmemdup(low, PAGE_SIZE, GFP_KERNEL) : NULL;
	int err = -ENOMEM;

	if (saved) {
		write_trampoline(a, low);
		err = run(a, data_in(low));
		memcpy(low, saved, PAGE_SIZE);
	}
	kfree(saved);
	if (low)
		memunmap(low);
	return err;
}

int start_cpu(struct acpu *a)
{
	int err = memory_identity(a, low_page, true);

	if (err)
		return err;
	cpus_read_lock();
	err = run_from_low_page(a);
	cpus_read_unlock();
	memory_identity(a, low_page, false);
	return err;
}
