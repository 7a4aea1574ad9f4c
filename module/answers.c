// SPDX-License-Identifier: GPL-2.0
/*
 * Leave to answer system calls (abi/answers.h), given with each visit and taken
 * away when somebody begins to watch the thread's calls.
 *
 * A tracer, a filter, an auditor or a tracepoint has a bit in the thread's
 * syscall_work; with any of them Linux makes all its calls. A thread sets its own
 * bits in calls, which are made at home. Others set them where the thread is stopped,
 * at home, with two exceptions that wake nobody: a filter for all threads of a
 * process, and the tracepoints of all system calls. Those are diverted, and are not
 * over before the leave is gone from all threads concerned.
 *
 * Order: the leave is given, then the bit is looked at again; the bit is set, then
 * the leave is taken away. An answer that another CPU gives just then was given
 * before, as far as anybody can tell.
 */
#include <linux/nodemask.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/thread_info.h>
#include "divert.h"
#include "thread.h"

static const char *const names[] = {
#define X(name, number, text, rule, condition, source) text,
	APK_ANSWERS(X)
#undef X
};

#define ALL	(BIT(APK_ANSWER_COUNT) - 1)

static u32 wanted = ALL;	/* answer= */
static bool watching;		/* who sets bits from afar is noticed */

static bool watched(struct task_struct *task)
{
	return READ_ONCE(task_thread_info(task)->syscall_work);
}

/* Which calls of current's may be answered. */
static u32 leave(void)
{
	u32 calls = READ_ONCE(wanted);

	/* CONFIG_DEBUG_RSEQ kills who makes a call in a restartable sequence. */
	if (!READ_ONCE(watching) || watched(current) || IS_ENABLED(CONFIG_DEBUG_RSEQ))
		return 0;
	if (nr_online_nodes > 1)
		calls &= ~BIT(APK_A_GETCPU);	/* an application CPU does not know its node */
	if (!waits_counted())
		calls &= ~BIT(APK_A_FUTEX);
	return calls;
}

void answers_give(struct thread *t, struct apk_slot *s, struct apk_head *h)
{
	const struct pid *pid = task_pid(current);
	u32 calls = leave();

	/* They are new with a slot, and when current executed a program and was not the first thread. */
	if (!s->tid || t->numbered != pid) {
		s->tgid = pid_nr_ns(task_tgid(current), ns_of_pid(task_pid(current)));
		s->tid = pid_nr_ns(task_pid(current), ns_of_pid(task_pid(current)));
		t->numbered = pid;
	}
	/* A full barrier is between a leave that is given and the look that follows. */
	while (READ_ONCE(h->answers) != calls) {
		__atomic_store_n(&h->answers, calls, __ATOMIC_SEQ_CST);
		calls = leave();
	}
}

static void take(unsigned int slot)
{
	__atomic_store_n(&apk_global->head[slot].answers, 0, __ATOMIC_SEQ_CST);
}

/* From all threads whose calls are watched now. */
static void take_from_watched(void)
{
	struct thread *t;
	unsigned int i;

	mb();	/* the bits were set without one */
	rcu_read_lock();
	for (i = 0; i < APK_MAX_SLOTS; i++) {
		t = thread_in(i);
		if (t && watched(t->task))
			take(i);
	}
	rcu_read_unlock();
}

/* One that took another way is seen within a quarter of a second. */
void answers_look(struct apk_head *h)
{
	if (watched(current))
		__atomic_store_n(&h->answers, 0, __ATOMIC_SEQ_CST);
}

/* Diverts a function that sets bits of other threads: they are looked at when it has. */
#define WATCH(name)	DIVERT_AROUND(name, (void)0, take_from_watched())

/* Of the filters, the call itself: what follows it may be inlined. */
#ifdef CONFIG_SECCOMP_FILTER
WATCH(__x64_sys_seccomp)
#ifdef CONFIG_IA32_EMULATION
WATCH(__ia32_sys_seccomp)
#endif
#endif
#ifdef CONFIG_HAVE_SYSCALL_TRACEPOINTS
#ifdef CONFIG_TRACEPOINTS
WATCH(syscall_regfunc)
#endif
#endif

static struct diversion diversions[] = {
#ifdef CONFIG_SECCOMP_FILTER
	DIVERSION(__x64_sys_seccomp),
#ifdef CONFIG_IA32_EMULATION
	DIVERSION(__ia32_sys_seccomp),
#endif
#endif
#ifdef CONFIG_HAVE_SYSCALL_TRACEPOINTS
#ifdef CONFIG_TRACEPOINTS
	DIVERSION(syscall_regfunc),
#endif
#endif
};

/* Without them all calls are made at home: worth a line, no reason to refuse. */
int answers_init(void)
{
	WRITE_ONCE(watching, !divert_begin(diversions, ARRAY_SIZE(diversions),
					   "system calls are not answered on application CPUs"));
	return 0;
}

void answers_exit(void)
{
	if (watching)
		divert_end(diversions, ARRAY_SIZE(diversions));
	WRITE_ONCE(watching, false);
}

/* The parameter: all, none, or a list of names. */

static int parse(const char *list, u32 *calls)
{
	char *text = kstrdup(list, GFP_KERNEL), *rest, *name;
	int i, err = 0;

	if (!text)
		return -ENOMEM;
	*calls = 0;
	rest = strim(text);
	while (!err && (name = strsep(&rest, ","))) {
		i = match_string(names, ARRAY_SIZE(names), name);
		if (i >= 0)
			*calls |= BIT(i);
		else if (!strcmp(name, "all"))
			*calls |= ALL;
		else if (strcmp(name, "none"))
			err = -EINVAL;
	}
	if (err)
		pr_err("answer=%s: give all, none, or names from docs/calls.md\n", list);
	kfree(text);
	return err;
}

static int set_answer(const char *val, const struct kernel_param *kp)
{
	u32 calls;
	unsigned int i;
	int err = parse(val, &calls);

	if (err)
		return err;
	WRITE_ONCE(wanted, calls);
	mb();	/* as above; threads that are away get their new leave when they leave next */
	for (i = 0; apk_global && i < APK_MAX_SLOTS; i++)
		take(i);
	return 0;
}

static int get_answer(char *buf, const struct kernel_param *kp)
{
	u32 calls = READ_ONCE(wanted);
	int i, len = 0;

	for (i = 0; i < APK_ANSWER_COUNT; i++)
		if (calls & BIT(i))
			len += sysfs_emit_at(buf, len, "%s%s", len ? "," : "", names[i]);
	return len + sysfs_emit_at(buf, len, "%s\n", len ? "" : "none");
}

static const struct kernel_param_ops answer_ops = { .set = set_answer, .get = get_answer };

module_param_cb(answer, &answer_ops, NULL, 0644);
MODULE_PARM_DESC(answer, "system calls that application CPUs answer themselves: all (default), none, or some of sched_yield, getpid, gettid, getcpu, futex, separated by commas");
