// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: the pages that carry a visiting thread's registers. They are
 * allocated on demand and kept for the next thread until the module goes.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/io.h>
#include "platform.h"

#define SLOT_SIZE	(APK_SLOT_PAGES * PAGE_SIZE)

static DEFINE_RAW_SPINLOCK(lock);		/* guards used and count */
static DECLARE_BITMAP(used, APK_MAX_SLOTS);
static unsigned int count;
static struct apk_slot *pages[APK_MAX_SLOTS];	/* entry i belongs to the owner of bit i of used */

int slot_init(void)
{
	if (apk_param_slots && apk_param_slots <= APK_MAX_SLOTS)
		return 0;
	pr_err("slots=%u: give a number from 1 to %d\n", apk_param_slots, APK_MAX_SLOTS);
	return -EINVAL;
}

void slot_exit(void)
{
	unsigned int i;

	for (i = 0; i < APK_MAX_SLOTS; i++) {
		if (pages[i])
			free_pages_exact(pages[i], SLOT_SIZE);
		pages[i] = NULL;
	}
}

static int take(unsigned int *index)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&lock, flags);
	i = find_first_zero_bit(used, apk_param_slots);
	if (i < apk_param_slots) {
		__set_bit(i, used);
		count++;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	*index = i;
	return i < apk_param_slots ? 0 : -ENOSPC;
}

void slot_free(unsigned int index)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	__clear_bit(index, used);
	count--;
	raw_spin_unlock_irqrestore(&lock, flags);
}

/* Physically contiguous and zero: what the thread before left there is nobody's to see. */
static int prepare(unsigned int i)
{
	struct apk_head *h = &apk_global->head[i];

	if (!pages[i])
		pages[i] = alloc_pages_exact(SLOT_SIZE, GFP_KERNEL);
	if (!pages[i])
		return -ENOMEM;
	memset(pages[i], 0, SLOT_SIZE);
	memset(h, 0, sizeof(*h));
	h->phys = virt_to_phys(pages[i]);
	return 0;
}

int slot_alloc(unsigned int *index)
{
	int err = take(index);

	if (err)
		return err;
	err = prepare(*index);
	if (err)
		slot_free(*index);
	return err;
}

struct apk_slot *slot_get(unsigned int index)
{
	return pages[index];
}

unsigned int slots_used(void)
{
	return READ_ONCE(count);
}
