// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever asks Linux for the CPU time of a thread or a process first sees to it
 * that the time of threads that are away is in it. All such questions come
 * through the functions below: clock_gettime() and timers on CPU clocks, times(),
 * getrusage(), wait4() and /proc.
 *
 * They are diverted, not just probed: the account has a lock, and a probe's
 * handler runs in the context of an exception that may interrupt its holder.
 */
#include <linux/sched/signal.h>
#include "divert.h"
#include "thread.h"

static void credit_task(struct task_struct *task)
{
	if (thread_count())
		account_task(task);
}

static void credit_group(struct task_struct *leader)
{
	struct task_struct *task;

	if (!thread_count())
		return;
	rcu_read_lock();
	for_each_thread(leader, task)
		account_task(task);
	rcu_read_unlock();
}

/* Each function's first argument is the task. */
#define CLOCKS(X)							\
	X(task_sched_runtime, credit_task)				\
	X(task_cputime_adjusted, credit_task)				\
	X(thread_group_cputime, credit_group)

#define X(name, credit)	DIVERT_AROUND(name, credit((struct task_struct *)a), (void)0)
CLOCKS(X)
#undef X

static struct diversion diversions[] = {
#define X(name, credit)	DIVERSION(name),
	CLOCKS(X)
#undef X
};
static bool diverted;

/* Without them clocks lag by a quarter of a second: worth a line, no reason to refuse. */
int clocks_init(void)
{
	diverted = !divert_begin(diversions, ARRAY_SIZE(diversions), "CPU time of threads away is seen late");
	return 0;
}

void clocks_exit(void)
{
	if (diverted)
		divert_end(diversions, ARRAY_SIZE(diversions));
}
