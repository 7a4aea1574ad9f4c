// SPDX-License-Identifier: GPL-2.0
/*
 * Time away is also CPU time of the thread's control group: cpu.stat of version 2.
 * The functions that count it are not exported. They are found once, by a
 * probe that never fires, and called by static calls: direct ones, which need no
 * landing pad where the processor tracks indirect branches.
 *
 * Version 1 (cpuacct) does not learn it: its function wants a run queue's lock.
 */
#include <linux/cgroup.h>
#include <linux/kernel_stat.h>
#include <linux/kprobes.h>
#include <linux/static_call.h>
#include "thread.h"

#ifdef CONFIG_CGROUPS

static void uncounted(struct cgroup *group, u64 ns)
{
}

static void uncounted_field(struct cgroup *group, enum cpu_usage_stat index, u64 ns)
{
}

DEFINE_STATIC_CALL(count, uncounted);
DEFINE_STATIC_CALL(count_field, uncounted_field);

void groups_charge(struct task_struct *task, u64 ns)
{
	struct cgroup *group = task_dfl_cgroup(task);	/* preemption off is an RCU read section */

	if (!cgroup_parent(group))
		return;			/* the root's is what the CPUs say */
	static_call(count)(group, ns);
	static_call(count_field)(group, CPUTIME_USER, ns);
}

static void *find(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	int err = register_kprobe(&probe);

	if (!err) {
		unregister_kprobe(&probe);
		return probe.addr;
	}
	pr_warn("%s() is not found (error %d): control groups do not count time away\n", name, err);
	return NULL;
}

int groups_init(void)
{
	void *function = find("__cgroup_account_cputime");
	void *field = function ? find("__cgroup_account_cputime_field") : NULL;

	if (field) {
		static_call_update(count, function);
		static_call_update(count_field, field);
	}
	return 0;
}

#else

void groups_charge(struct task_struct *task, u64 ns)
{
}

int groups_init(void)
{
	return 0;
}

#endif
