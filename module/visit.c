// SPDX-License-Identifier: GPL-2.0
/*
 * The visit: a thread's user mode runs on an application CPU while its Linux
 * task, the bootstrap thread, waits here, in the loop that leads back to user
 * mode.
 *
 * The thread has one locus of control: the state in its slot's head says
 * whose it is (handover.h). Everything but a page fault that can be served in
 * place ends the visit, and the thread does natively what it came home for:
 * its registers stand at the instruction.
 */
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/task_stack.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include <asm/tsc.h>
#include <asm/unistd.h>
#include "compat.h"
#include "thread.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* How often a poll looks for the event between two looks at all else, which take longer. */
#define GLANCES		4

/* Between two looks at what others may have done to a thread that is away, and two credits of its time. */
#define LOOK_PERIOD	(HZ / 4)

/* One visit, from send-off to homecoming. */
struct visit {
	struct thread *t;
	struct apk_head *h;
	struct apk_slot *s;
	u32 changes;		/* apk_usable_changes, before it was last made ready */
	u64 cycles;		/* slot.cycles when it began */
	unsigned long look;	/* jiffies: when others are looked at next */
	bool wanted;		/* a look said that the thread must come home */
	u64 began;		/* by the TSC, as the next */
	u64 served;		/* how long serving faults took */
	unsigned int passages;	/* how often it was made ready */
	bool queued;		/* then, once: no CPU was idle */
	bool crowd;		/* then, once: in a crowd */
};

static u32 head_state(const struct apk_head *h)
{
	return __atomic_load_n(&h->state, __ATOMIC_ACQUIRE);
}

static bool back(const struct apk_head *h)
{
	return (head_state(h) & APK_STATE_MASK) == APK_EVENT;
}

/* Only single tasks poll: another one that could run here has a better use for the CPU. */
static bool poll(struct visit *v)
{
	u64 start = rdtsc_ordered(), now = start;
	u64 end = start + (u64)READ_ONCE(apk_param_poll_us) * tsc_khz / 1000;
	bool done = back(v->h);
	unsigned int i;

	while (!done && now < end && !signal_pending(current) && !need_resched() &&
	       single_task_running()) {
		for (i = 0; i < GLANCES && !done; i++) {
			cpu_relax();
			done = back(v->h);
		}
		now = rdtsc_ordered();
	}
	v->t->charged += now - start;
	if (done)
		apk_count(APK_H_POLL_HIT);
	return done;
}

/* Has the CPU that holds the thread failed without sending it home? It may have done both after the first look. */
static bool lost(const struct apk_head *h)
{
	u32 state = head_state(h);

	return (state & APK_STATE_MASK) == APK_AWAY &&
	       virt_load_acquire(&apk_cpus[state >> APK_STATE_CPU_SHIFT].failed) &&
	       head_state(h) == state;
}

/*
 * The CPU that holds the thread is gone, or the set of those that it may wait for has
 * changed: one that is gone may have been all that knew of it.
 */
static bool stranded(struct visit *v)
{
	return lost(v->h) || (head_state(v->h) == APK_READY &&
			      READ_ONCE(apk_usable_changes) != v->changes);
}

/*
 * Have others brought about that the thread must come home? Looks once a period,
 * however often it is asked. What a look said stands: the thread that is then
 * recalled may have come by itself meanwhile, for a fault.
 */
static bool wanted_home(struct visit *v)
{
	if (!v->wanted && !time_before(jiffies, v->look)) {
		v->look = jiffies + LOOK_PERIOD;
		answers_look(v->h);
		fair_weigh(current, v->h);
		v->wanted = decline_others() || place_changed(v->t, v->h);
	}
	return v->wanted;
}

/* Sleeps until woken or the next look is due, while others may credit the thread's time. */
static void sleep_away(struct visit *v)
{
	long timeout = v->look - jiffies;

	account_share(v->t, true);
	schedule_timeout(max(timeout, 1L));
	account_share(v->t, false);
}

/* Waits for an event. False: there is a reason to recall the thread. */
static bool wait_for_event(struct visit *v)
{
	bool arrived;

	if (poll(v))
		return true;
	apk_count(APK_H_SLEEP);
	prepare_to_rcuwait(&v->t->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		/* Full barrier: the CPU posts the event, then reads sleeping. */
		__atomic_store_n(&v->h->sleeping, 1, __ATOMIC_SEQ_CST);
		arrived = back(v->h);
		if (!arrived && turn_taken(v->t)) {
			v->s->event = APK_EV_TURN;
			arrived = true;
		}
		if (arrived || signal_pending(current) || READ_ONCE(current->task_works) ||
		    READ_ONCE(v->t->moved) || stranded(v))
			break;
		sleep_away(v);
		if (time_before(jiffies, v->look))
			continue;
		account_away(v->t, account_running(v->h, v->s));
		if (wanted_home(v))
			break;
		if (head_state(v->h) == APK_READY)
			turn_look();
	}
	__set_current_state(TASK_RUNNING);
	finish_rcuwait(&v->t->wait);
	WRITE_ONCE(v->h->sleeping, 0);
	return arrived;
}

/* The CPU has not answered, if it still holds the thread: then it is not given back before it is stopped. */
static void give_up(const struct apk_head *h, u32 away)
{
	rcu_read_lock();
	if (head_state(h) == away)
		acpu_fail(&apk_cpus[away >> APK_STATE_CPU_SHIFT], "it does not answer a recall");
	rcu_read_unlock();
}

/*
 * Gets the thread back, wherever it is. The flag is set first: the CPU tests it
 * before every return to user mode, so an interrupt that lands in ring 0 is
 * not lost. Returns false when its CPU is dead, and its registers with it.
 */
static bool recall(struct visit *v)
{
	struct apk_head *h = v->h;
	u64 end = apk_deadline();
	u32 state, sent = 0;

	__atomic_store_n(&h->recall, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		state = head_state(h);
		if ((state & APK_STATE_MASK) == APK_EVENT)
			return true;
		if ((state & APK_STATE_MASK) == APK_READY) {
			if (!ready_withdraw(v->t->slot))
				continue;
			/* It may have run and become ready again: the slot has its registers. */
			v->s->event = APK_EV_RECALL;
			apk_count(APK_H_WITHDRAWN);
			return true;
		}
		if (lost(h))
			return false;
		if (state != sent) {
			acpu_ipi(&apk_cpus[state >> APK_STATE_CPU_SHIFT], APK_VEC_RECALL);
			apk_count(APK_H_RECALL_SENT);
			sent = state;
		}
		if (rdtsc_ordered() > end)
			give_up(h, state);
		cpu_relax();
	}
}

/*
 * Any thread's, in an RCU read section. The caller has set the record's moved:
 * the bootstrap thread looks at that after it cleared the flag, so that one of
 * the two is seen, and a thread found neither ready nor away here goes through
 * Linux's way to user mode before it runs again.
 */
void visit_call_home(struct apk_head *h)
{
	u64 end = apk_deadline(), since;
	struct acpu *a;
	u32 state;

	__atomic_store_n(&h->recall, 1, __ATOMIC_SEQ_CST);
	since = READ_ONCE(h->since);
	state = head_state(h);
	if ((state & APK_STATE_MASK) != APK_AWAY)
		return;
	a = &apk_cpus[state >> APK_STATE_CPU_SHIFT];
	acpu_ipi(a, APK_VEC_RECALL);
	apk_count(APK_H_RECALL_SENT);
	while (head_state(h) == state && READ_ONCE(h->since) == since && !READ_ONCE(a->failed)) {
		if (rdtsc_ordered() > end)
			acpu_fail(a, "it does not answer a recall");
		cpu_relax();
	}
}

/* Makes the slot ready. State HOME or EVENT. */
static bool send(struct visit *v)
{
	bool sent = false, full = false;
	struct acpu *expected;

	v->changes = READ_ONCE(apk_usable_changes);
	if (!place_allowed(v->t, v->h))
		return false;
	expected = place_expect(v->h);
	if (!expected)
		return false;
	v->crowd |= policy_crowd();
	fair_weigh(current, v->h);
	answers_give(v->t, v->s, v->h);
	rseq_lend(v->s, expected->linux_cpu);
	WRITE_ONCE(v->t->invited, false);
	__atomic_store_n(&v->h->recall, 0, __ATOMIC_SEQ_CST);
	waits_leave(v->t);
	trace_apkern_visit(v->t->slot, expected->linux_cpu, v->s->regs.rip);
	/* Who moved it, and has waited for RCU readers, finds it ready or it is not sent. */
	rcu_read_lock();
	if (!READ_ONCE(v->t->moved)) {	/* may have been set before recall was cleared: see visit_call_home() */
		full = !place_ready(v->t, v->h);
		sent = true;
	}
	rcu_read_unlock();
	v->passages += sent;
	v->queued |= full;
	if (full)
		turn_look();
	return sent;
}

/* Another thread of this mm may be bound to it; an exec leaves the old one. */
static bool bind_space(struct thread *t)
{
	struct space *space;

	if (t->space && space_mm(t->space) == current->mm)
		return true;
	thread_drop_space(t);
	space = space_get(current->mm);
	if (IS_ERR(space))
		return false;
	t->space = space;
	space_sync(space);
	return true;
}

/*
 * A notifier that is still subscribed when the mm dies costs a grace period
 * (15 ms): on the way to an exit or exec the space is dropped first.
 */
static bool leaves_mm(const struct apk_slot *s)
{
	switch (s->regs.rax) {
	case __NR_exit:
	case __NR_exit_group:
	case __NR_execve:
	case __NR_execveat:
		return s->event == APK_EV_SYSCALL;
	}
	return false;
}

/* As Linux forces a signal that an instruction raised: blocked or ignored, it kills. */
static void force_delivery(int sig)
{
	struct sighand_struct *hand = rcu_dereference_raw(current->sighand);	/* the thread's until it ends */
	struct k_sigaction *action = &hand->action[sig - 1];

	spin_lock_irq(&hand->siglock);
	if (sigismember(&current->blocked, sig) || action->sa.sa_handler == SIG_IGN) {
		action->sa.sa_handler = SIG_DFL;
		sigdelset(&current->blocked, sig);
		recalc_sigpending();
	}
	spin_unlock_irq(&hand->siglock);
}

/*
 * #DB is a trap: the instruction is over, and executing the next one would not raise
 * it again. One for a bus lock (its bit is then clear) is not for the program.
 */
static void resend_debug_trap(const struct apk_slot *s)
{
	struct kernel_siginfo info;

	if (!(s->dr6 & (DR_STEP | DR_TRAP_BITS | DR_BUS_LOCK)))
		return;
	current->thread.trap_nr = X86_TRAP_DB;
	current->thread.error_code = 0;
	force_delivery(SIGTRAP);
	clear_siginfo(&info);
	info.si_signo = SIGTRAP;
	info.si_code = s->dr6 & (DR_STEP) ? TRAP_TRACE : TRAP_BRKPT;
	info.si_addr = (void __user *)s->regs.rip;
	send_sig_info(SIGTRAP, &info, current);
}

static enum apk_home_counter home_counter(u32 event)
{
	switch (event) {
	case APK_EV_SYSCALL:
		return APK_H_HOME_SYSCALL;
	case APK_EV_FAULT:
		return APK_H_HOME_FAULT;
	case APK_EV_EXCEPTION:
		return APK_H_HOME_EXCEPTION;
	case APK_EV_RSEQ:
	case APK_EV_PREEMPT:
		return APK_H_HOME_RSEQ;
	case APK_EV_PARK:
		return APK_H_HOME_PARK;
	case APK_EV_FATAL:
		return APK_H_HOME_FAILED;
	case APK_EV_TURN:
		return APK_H_HOME_TURN;
	}
	return APK_H_HOME_SIGNAL;
}

/* What the visit came to so far. The slot is home's. */
static struct trip trip_of(const struct visit *v)
{
	struct trip trip = {
		.gain = v->s->cycles - v->cycles,
		.passages = v->passages,
		.queued = v->queued,
		.crowd = v->crowd,
	};
	s64 lost = rdtsc() - v->began - v->served - trip.gain;

	trip.lost = max(lost, 0LL);
	return trip;
}

/* Faults away cost passages, too: is it time to have them at home? */
static bool tired(const struct visit *v)
{
	struct trip trip = trip_of(v);

	return policy_tires(v->t, &trip);
}

static bool serve_fault(struct visit *v)
{
	u64 start = rdtsc();
	bool served = fault_serve(&v->t->faults, v->s);

	v->served += rdtsc() - start;
	return served;
}

/* Runs the thread away until something ends the visit. False: its registers are lost. */
static bool away(struct visit *v)
{
	for (;;) {
		if (!wait_for_event(v) && !recall(v))
			return false;
		account_away(v->t, v->s->cycles);
		if (v->s->event != APK_EV_FAULT || signal_pending(current) ||
		    READ_ONCE(current->task_works) || wanted_home(v))
			return true;
		if (!serve_fault(v)) {
			trace_apkern_fault(v->t->slot, v->s->cr2, v->s->regs.rip, v->s->regs.err,
					   false);
			return true;
		}
		apk_count(APK_H_FAULT_SERVED);
		trace_apkern_fault(v->t->slot, v->s->cr2, v->s->regs.rip, v->s->regs.err, true);
		space_reveal(v->t->space, v->s->cr2);
		if (turn_instead(v->t)) {
			v->s->event = APK_EV_TURN;
			return true;
		}
		if (tired(v) || !send(v))
			return true;
	}
}

/* A turn is not the thread's own wish, and without the rule there is nothing to learn. */
static void account_trip(const struct visit *v)
{
	struct trip trip;

	if (v->s->event == APK_EV_TURN || !READ_ONCE(apk_param_stay)) {
		policy_skips();
	} else {
		trip = trip_of(v);
		policy_account(v->t, &trip);
	}
	if (policy_stays(v->t))
		thread_drop_space(v->t);
}

static void come_home(struct visit *v, struct pt_regs *regs)
{
	struct thread *t = v->t;

	regs_load(&t->sent, v->s, regs);
	t->at_call = v->s->event == APK_EV_SYSCALL;
	rseq_return();
	__atomic_store_n(&v->h->state, APK_HOME, __ATOMIC_RELEASE);
	apk_count(home_counter(v->s->event));
	trace_apkern_home(t->slot, v->s->event, v->s->regs.vector, v->s->regs.rip,
			  v->s->cycles - v->cycles);
	if (v->s->event == APK_EV_TURN)
		turn_begin(t);
	if (leaves_mm(v->s) || fatal_signal_pending(current))
		thread_drop_space(t);
	if (v->s->event == APK_EV_EXCEPTION && v->s->regs.vector == X86_TRAP_DB)
		resend_debug_trap(v->s);
	account_trip(v);
}

/* The thread's registers died with its CPU. */
static void lose(struct visit *v)
{
	pr_err("%s[%d] was lost with its CPU and is killed\n", current->comm, task_pid_nr(current));
	__atomic_store_n(&v->h->state, APK_HOME, __ATOMIC_SEQ_CST);
	thread_drop_space(v->t);
	policy_skips();
	apk_count(APK_H_KILLED);
	send_sig(SIGKILL, current, 1);
}

/* Returns why the visit could not be made, or -1 after one. after_call: see regs_save(). */
static int visit(struct thread *t, struct pt_regs *regs, bool after_call)
{
	struct visit v = { .t = t, .look = jiffies + LOOK_PERIOD };

	v.began = rdtsc();
	if (!acpu_any())
		return APK_D_CPUS;
	if (thread_take_slot(t))
		return APK_D_SLOTS;
	if (!bind_space(t))
		return APK_D_MEMORY;
	v.h = &apk_global->head[t->slot];
	v.s = slot_get(t->slot);
	if (turn_instead(t)) {
		turn_begin(t);
		return APK_D_TURN;
	}
	v.cycles = v.s->cycles;
	v.s->space_id = space_id(t->space);
	v.s->space_phys = space_phys(t->space);
	/* After a call nothing can be missing that a fault would not ask for: space_sync(). */
	if (v.s->event != APK_EV_SYSCALL)
		space_sync(t->space);
	v.s->event = APK_EV_NONE;
	turn_end(t);
	regs_save(&t->sent, v.s, regs, after_call);
	policy_leaves();
	if (!send(&v)) {
		policy_skips();
		rseq_return();
		return APK_D_CPUS;
	}
	apk_count(APK_H_AWAY);
	if (away(&v))
		come_home(&v, regs);
	else
		lose(&v);
	return -1;
}

static void decline(struct thread *t, enum apk_decline why)
{
	__atomic_fetch_add(&apk_home->decline[why], 1, __ATOMIC_RELAXED);
	t->kick = decline_fleeting(why);
	if (why == APK_D_WORK)
		thread_queue_work(t);
	/* A stay may be long, or end in exit: see leaves_mm(). */
	if (why == APK_D_POLICY || why == APK_D_CPUS)
		thread_drop_space(t);
}

/*
 * Task work: on the way to user mode, in task context, with complete
 * registers. Also where a dead record is freed.
 */
void visit_work(struct callback_head *work)
{
	struct thread *t = container_of(work, struct thread, work);
	struct pt_regs *regs = task_pt_regs(current);
	bool after_call = t->at_call;
	int why;

	t->queued = false;
	t->at_call = false;
	if (t->dead) {
		thread_free(t);
		return;
	}
	if (current->flags & (PF_EXITING | PF_KTHREAD | PF_IO_WORKER) || !current->mm)
		return;
	if (READ_ONCE(t->affinity.freed))
		affinity_widen(t);
	apk_count(APK_H_VISIT);
	why = decline_now(t, regs);
	if (why < 0)
		why = visit(t, regs, after_call);
	if (why >= 0) {
		decline(t, why);
		return;
	}
	if (signal_pending(current))
		t->kick = true;		/* the handler runs away again */
	else if (READ_ONCE(current->task_works))
		thread_queue_work(t);
}
