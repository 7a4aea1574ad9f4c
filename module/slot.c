// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: the pages that carry a visiting thread's registers. They are
 * allocated on demand and kept, cleared, for the next thread until the module
 * goes.
 *
 * A thread has its slot from its first visit to its end. So that no user takes them
 * all, the threads of one have a share, as RLIMIT_NPROC limits processes: of
 * the real user id, and not of root nor of who may exceed resource limits.
 */
#include <linux/bitmap.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/user_namespace.h>
#include <asm/io.h>
#include "platform.h"

#define SLOT_SIZE	(APK_SLOT_PAGES * PAGE_SIZE)

static DEFINE_RAW_SPINLOCK(lock);		/* guards used, payer and count */
static DECLARE_BITMAP(used, APK_MAX_SLOTS);
static kuid_t payer[APK_MAX_SLOTS];		/* who pays for slot i, if it is in used */
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

/*
 * Whose share the calling thread's slot is of. In a user namespace it is its
 * creator's: one who has many subordinate user ids has one share all the same.
 */
static kuid_t current_payer(void)
{
	const struct user_namespace *ns;
	kuid_t uid = current_uid(), owner = uid;

	for (ns = current_user_ns(); ns != &init_user_ns; ns = ns->parent)
		owner = ns->owner;
	return uid_eq(owner, GLOBAL_ROOT_UID) ? uid : owner;
}

static unsigned int share(void)
{
	unsigned int n = READ_ONCE(apk_param_user_slots);

	if (has_capability_noaudit(current, CAP_SYS_RESOURCE))
		return apk_param_slots;
	return n ?: max(apk_param_slots / 2, 1U);
}

/* How many slots a user has. Under the lock. */
static unsigned int taken_by(kuid_t uid)
{
	unsigned int i, n = 0;

	for_each_set_bit(i, used, apk_param_slots)
		n += uid_eq(payer[i], uid);
	return n;
}

static int take(unsigned int *index)
{
	kuid_t uid = current_payer();
	unsigned int most = uid_eq(uid, GLOBAL_ROOT_UID) ? apk_param_slots : share(), i;
	int ret = -ENOSPC;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	i = find_first_zero_bit(used, apk_param_slots);
	if (i < apk_param_slots && (most >= apk_param_slots || taken_by(uid) < most)) {
		__set_bit(i, used);
		payer[i] = uid;
		count++;
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	*index = i;
	return ret;
}

bool slot_paid(unsigned int index)
{
	return uid_eq(payer[index], current_payer());
}

/* What the thread left there is nobody's to see. */
void slot_free(unsigned int index)
{
	unsigned long flags;

	if (pages[index])
		memzero_explicit(pages[index], SLOT_SIZE);
	raw_spin_lock_irqsave(&lock, flags);
	__clear_bit(index, used);
	count--;
	raw_spin_unlock_irqrestore(&lock, flags);
}

/* Who looks for ready threads looks no further than slots are in use, or were. Grows only. */
static void words_up_to(unsigned int slot)
{
	u32 want = slot / 64 + 1, have = READ_ONCE(apk_global->words);

	while (have < want && !__atomic_compare_exchange_n(&apk_global->words, &have, want, false,
							   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

/* Physically contiguous, and zero. */
static int prepare(unsigned int i)
{
	struct apk_head *h = &apk_global->head[i];

	if (!pages[i])
		pages[i] = alloc_pages_exact(SLOT_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!pages[i])
		return -ENOMEM;
	memset(h, 0, sizeof(*h));
	h->last = APK_MAX_CPUS;		/* none: another thread's traces may be on the first */
	h->phys = virt_to_phys(pages[i]);
	words_up_to(i);
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

size_t slots_size(void)
{
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < APK_MAX_SLOTS; i++)
		n += READ_ONCE(pages[i]) ? SLOT_SIZE : 0;
	return n;
}

unsigned int slots_used(void)
{
	return READ_ONCE(count);
}
