// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults of threads that are away, served without going back to user mode.
 * What comes with a page that is asked for, is in ahead.c.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <asm/trap_pf.h>
#include "compat.h"
#include "thread.h"

/* The same fault at the same instruction so often in a row is for Linux to see natively. */
#define REPEATS		4

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
		ahead_serve(&f->ahead, vma, address, flags);
	mmap_read_unlock(mm);
	return !ret;
}
