// SPDX-License-Identifier: GPL-2.0
/*
 * membarrier() reaches application CPUs.
 *
 * Linux interrupts the CPUs that it runs the program on; with one of its own
 * online it does nothing at all. Threads that are away are interrupted here,
 * after Linux did its part: an application CPU that acknowledged a flush has
 * passed a full barrier and a serialising instruction between user instructions
 * of before and after. A restartable sequence is aborted by calling its
 * thread home. One that begins to run later passes barriers on its way.
 */
#include "core.h"

#ifndef CONFIG_MEMBARRIER

int barrier_init(void)
{
	return 0;
}

void barrier_exit(void)
{
}

#else

#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <uapi/linux/membarrier.h>
#include "divert.h"
#include "thread.h"

static void reach(int cmd)
{
	switch (cmd) {
	case MEMBARRIER_CMD_GLOBAL:
		/* As Linux does with several CPUs. It also limits how often one user interrupts the others. */
		synchronize_rcu();
		space_barrier(NULL);
		return;
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		space_barrier_registered(MEMBARRIER_STATE_GLOBAL_EXPEDITED);
		return;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		space_barrier(current->mm);
		return;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		thread_recall_all(current->mm);
		return;
	}
}

DIVERT_DECLARE(__x64_sys_membarrier);
static unsigned long instead_of___x64_sys_membarrier(DIVERT_ARGS)
{
	int cmd = ((const struct pt_regs *)a)->di;
	unsigned long ret = divert_original(__x64_sys_membarrier)(DIVERT_PASS);

	if (!ret)
		reach(cmd);
	divert_done();
	return ret;
}

#ifdef CONFIG_IA32_EMULATION
DIVERT_DECLARE(__ia32_sys_membarrier);
static unsigned long instead_of___ia32_sys_membarrier(DIVERT_ARGS)
{
	int cmd = ((const struct pt_regs *)a)->bx;
	unsigned long ret = divert_original(__ia32_sys_membarrier)(DIVERT_PASS);

	if (!ret)
		reach(cmd);
	divert_done();
	return ret;
}
#endif

static struct diversion diversions[] = {
	DIVERSION(__x64_sys_membarrier),
#ifdef CONFIG_IA32_EMULATION
	DIVERSION(__ia32_sys_membarrier),
#endif
};

int barrier_init(void)
{
	return divert_begin(diversions, ARRAY_SIZE(diversions), "memory barriers");
}

void barrier_exit(void)
{
	divert_end(diversions, ARRAY_SIZE(diversions));
}

#endif
