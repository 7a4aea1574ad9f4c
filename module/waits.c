// SPDX-License-Identifier: GPL-2.0
/*
 * Who may wait at home for a private futex. An application CPU answers FUTEX_WAKE
 * itself while nobody does: it would find no waiter here.
 *
 * A thread is known while it is away, and while it is at home for a single call of
 * which we know that it does not wait for such a futex, or for which. It is back in
 * visit_work() before it executes another instruction. All others of an mm are
 * unknown: those that run at home, that were never adopted, that were born meanwhile
 * (their parent is not known during the call that makes them, and counts the mm's users
 * afresh afterwards). What a call could do beyond itself, an io_uring of the thread's
 * own, keeps the thread unknown. A waiter that another thread moves to another
 * futex spoils the account for as long as the space lives.
 *
 * Order: the thread is counted here, with a full barrier, before it looks at the futex
 * word. Who wakes changes the word, full barrier, and then looks at the count. So
 * either it is seen there, or it sees the word.
 */
#include <linux/mutex.h>		/* futex.h of 6.12 does without what it needs */
#include <linux/futex.h>
#include <linux/kprobes.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <asm/unistd.h>
#include "thread.h"

static bool counting;		/* who moves waiters is noticed */

bool waits_counted(void)
{
	return READ_ONCE(counting);
}

static bool own_io_uring(void)
{
#ifdef CONFIG_IO_URING
	return READ_ONCE(current->io_uring);
#else
	return false;
#endif
}

static void end_wait(struct thread *t)
{
	if (t->bucket >= 0)
		space_wait(t->space, t->bucket, -1);
	t->bucket = -1;
}

/* About to be away, or to have its fault served, with its space bound. */
void waits_leave(struct thread *t)
{
	bool knows = !own_io_uring();

	end_wait(t);
	space_users(t->space, knows - t->known);
	t->known = knows;
}

/* From now on it may do anything. */
void waits_forget(struct thread *t)
{
	if (!t->known)
		return;
	end_wait(t);
	space_known(t->space, -1);
	t->known = false;
}

/*
 * What the call with these registers waits for: a bucket, NOTHING that concerns us, or
 * there is no knowing.
 */
#define NOTHING		-1
#define ANYTHING	-2

static int waits_for(const struct pt_regs *regs)
{
	switch (regs->ax) {
	case __NR_futex:
		switch ((int)regs->si & ~FUTEX_CLOCK_REALTIME) {
		case FUTEX_WAIT_PRIVATE:
		case FUTEX_WAIT_BITSET_PRIVATE:
			return regs->di / 4 % APK_FUTEX_BUCKETS;
		case FUTEX_WAIT:
		case FUTEX_WAIT_BITSET:
		case FUTEX_WAKE:
		case FUTEX_WAKE_PRIVATE:
			return NOTHING;
		}
		return ANYTHING;
	case __NR_clone:
	case __NR_fork:
	case __NR_vfork:
	case __NR_clone3:
	case __NR_execve:
	case __NR_execveat:
	case __NR_restart_syscall:
	case __NR_rt_sigreturn:
	case __NR_io_uring_setup:
	case __NR_io_uring_enter:
	case __NR_io_uring_register:
		return ANYTHING;
	}
	/* Calls that are younger may be ways to wait. */
	return regs->ax <= __NR_clone3 ? NOTHING : ANYTHING;
}

/*
 * On every return to user mode of a thread that is known, interrupts off: it came home
 * for a call that it is about to make, and visit_work() runs on the way out of that, or
 * what it does is unknown.
 */
void waits_home(struct thread *t)
{
	int what = t->at_call ? waits_for(task_pt_regs(current)) : ANYTHING;

	if (what == ANYTHING) {
		waits_forget(t);
		return;
	}
	if (what == t->bucket)
		return;
	end_wait(t);
	t->bucket = what;
	if (what >= 0)
		space_wait(t->space, what, 1);
}

/* int futex_requeue(...): has more arguments than can be diverted, and need not be. */
static int before_requeue(struct kprobe *p, struct pt_regs *regs)
{
	if (current->mm)
		space_spoil(current->mm);
	return 0;
}
NOKPROBE_SYMBOL(before_requeue);

static struct kprobe requeue = { .symbol_name = "futex_requeue", .pre_handler = before_requeue };

/* Without it wakes are made at home. */
int waits_init(void)
{
	int err = register_kprobe(&requeue);

	if (err)
		pr_err("futexes are not answered on application CPUs: no probe on %s() (error %d)\n",
		       requeue.symbol_name, err);
	WRITE_ONCE(counting, !err);
	return 0;
}

void waits_exit(void)
{
	if (counting)
		unregister_kprobe(&requeue);
	WRITE_ONCE(counting, false);
}
