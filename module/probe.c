// SPDX-License-Identifier: GPL-2.0
/*
 * Probes on the scheduler's tracepoints: children are adopted before they
 * first run, records follow an exec and go with the thread. Tracepoints are
 * not exported by name, so they are looked up.
 *
 * Probes run with preemption off and must neither allocate nor sleep.
 */
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include "compat.h"
#include "thread.h"

static void probe_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	thread_inherit(parent, child);
}

static void probe_exec(void *data, struct task_struct *task, pid_t old_pid,
		       struct linux_binprm *bprm)
{
	thread_execed(task);
}

static void probe_exit_task(void *data, struct task_struct *task APK_EXIT_PROBE_MORE)
{
	thread_exiting(task);
}

static struct {
	const char *name;
	void *function;
	struct tracepoint *point;
} probes[] = {
	{ .name = "sched_process_fork", .function = probe_fork },
	{ .name = "sched_process_exec", .function = probe_exec },
	{ .name = "sched_process_exit", .function = probe_exit_task },
};

static void match(struct tracepoint *point, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!strcmp(point->name, probes[i].name))
			probes[i].point = point;
	}
}

static void unregister(unsigned int n)
{
	while (n--)
		tracepoint_probe_unregister(probes[n].point, probes[n].function, NULL);
	tracepoint_synchronize_unregister();
}

int probe_init(void)
{
	unsigned int i;
	int ret;

	for_each_kernel_tracepoint(match, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!probes[i].point) {
			pr_err("this kernel has no tracepoint %s; children could not be adopted\n",
			       probes[i].name);
			ret = -EOPNOTSUPP;
			goto undo;
		}
		ret = tracepoint_probe_register(probes[i].point, probes[i].function, NULL);
		if (ret) {
			pr_err("cannot follow %s: error %d\n", probes[i].name, ret);
			goto undo;
		}
	}
	return 0;
undo:
	unregister(i);
	return ret;
}

void probe_exit(void)
{
	unregister(ARRAY_SIZE(probes));
}
