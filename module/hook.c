// SPDX-License-Identifier: GPL-2.0
/*
 * The notifier that fires on every return to user mode of a home CPU, after
 * the exit loop, with interrupts off. Only it queues visit_work(): ptrace,
 * the freezer and io_uring run task work in states in which a visit would be
 * wrong, and queueing from visit_work() itself would loop.
 *
 * It comes too late for this return. The work runs at the thread's next entry
 * into the kernel, which for a thread at home is its next system call: just
 * where it is to leave again. Where it must leave before its next user
 * instruction (adopted, forked, a signal handler set up) an irq_work
 * interrupts it at once.
 */
#include <linux/cpuhotplug.h>
#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/user-return-notifier.h>
#include "thread.h"

static DEFINE_PER_CPU(struct user_return_notifier, notifier);
static DEFINE_PER_CPU(struct irq_work, kick);
static enum cpuhp_state hotplug_state;

static void kick_nothing(struct irq_work *work)
{
	/* The interrupt is all: its return to user mode runs visit_work(). */
}

/* Has its work queued, if it leaves: at its next entry into the kernel, or at once. */
static void leave(struct thread *t)
{
	if (t->queued || t->dead || t->at_exec)
		return;
	if (READ_ONCE(t->moved)) {
		WRITE_ONCE(t->moved, false);
		t->kick = true;
	}
	if (!t->kick && (turn_lasts(t) || !policy_returns(t) || !acpu_any()))
		return;
	if (thread_queue_work(t) && t->kick) {
		t->kick = false;
		irq_work_queue(this_cpu_ptr(&kick));
	}
}

/*
 * Does current, which came home for a call, go on at just that? Then the work that is queued
 * runs before another instruction of it does.
 */
static bool at_its_call(const struct thread *t)
{
	return t->queued && !current->ptrace &&
	       task_pt_regs(current)->ip == slot_get(t->slot)->regs.rip;
}

/* Out of the way of threads that go on as they are. */
static noinline void look(struct thread *t)
{
	leave(t);
	if (t->at_call)
		t->at_call = at_its_call(t);
	if (t->known)
		waits_home(t);
}

static void on_user_return(struct user_return_notifier *n)
{
	struct thread *t;

	rcu_read_lock();
	t = thread_find(current);
	rcu_read_unlock();
	if (t && !(policy_rests(t) && policy_goes_on(t)))
		look(t);
}

/* On the CPU itself. Registering twice would corrupt the list: the teardown unregisters. */
static int hook_cpu(unsigned int cpu)
{
	preempt_disable();
	*this_cpu_ptr(&kick) = IRQ_WORK_INIT_HARD(kick_nothing);
	this_cpu_ptr(&notifier)->on_user_return = on_user_return;
	user_return_notifier_register(this_cpu_ptr(&notifier));
	preempt_enable();
	return 0;
}

static int unhook_cpu(unsigned int cpu)
{
	preempt_disable();
	user_return_notifier_unregister(this_cpu_ptr(&notifier));
	preempt_enable();
	irq_work_sync(this_cpu_ptr(&kick));
	return 0;
}

int hook_init(void)
{
	int ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "apkern:hook", hook_cpu, unhook_cpu);

	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

void hook_exit(void)
{
	cpuhp_remove_state(hotplug_state);
}
