// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever asks Linux for the CPU time of a thread or a process first sees to it
 * that the time of threads that are away is in it. All such questions come
 * through the functions below: clock_gettime() and timers on CPU clocks, times(),
 * getrusage(), wait4() and /proc.
 */
#include <linux/kprobes.h>
#include <linux/sched/signal.h>
#include "thread.h"

static struct task_struct *asked(struct pt_regs *regs)
{
	return (struct task_struct *)regs_get_kernel_argument(regs, 0);
}

static int of_task(struct kprobe *p, struct pt_regs *regs)
{
	if (thread_count())
		account_task(asked(regs));
	return 0;
}

static int of_group(struct kprobe *p, struct pt_regs *regs)
{
	struct task_struct *task;

	if (!thread_count())
		return 0;
	rcu_read_lock();
	for_each_thread(asked(regs), task)
		account_task(task);
	rcu_read_unlock();
	return 0;
}

static struct kprobe probes[] = {
	{ .symbol_name = "task_sched_runtime",		.pre_handler = of_task },
	{ .symbol_name = "task_cputime_adjusted",	.pre_handler = of_task },
	{ .symbol_name = "thread_group_cputime",	.pre_handler = of_group },
};

/* Without the probes clocks lag by a quarter of a second: worth a line, no reason to refuse. */
int clocks_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		err = register_kprobe(&probes[i]);
		if (!err)
			continue;
		pr_warn("%s() cannot be probed (error %d): CPU time of threads away is seen late\n",
			probes[i].symbol_name, err);
		probes[i].addr = NULL;	/* not to be unregistered */
	}
	return 0;
}

void clocks_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (probes[i].addr)
			unregister_kprobe(&probes[i]);
	}
}
