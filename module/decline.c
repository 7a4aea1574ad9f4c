// SPDX-License-Identifier: GPL-2.0
/*
 * Every reason for which a thread does not visit now. Staying home is always
 * correct, so a new doubt is a new test here.
 *
 * The order matters at the head: what is pending or queued must run first,
 * and until then the rest of the thread's state is not settled.
 */
#include <linux/cgroup.h>
#include <linux/errno.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/rseq.h>
#include <linux/sched/deadline.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/debugreg.h>
#include <asm/fpu/xstate.h>
#include <asm/segment.h>
#include "compat.h"
#include "thread.h"

/*
 * In the middle of a system call: io_uring, ptrace and signal delivery run
 * task work there. A result that asks for a restart is not settled yet.
 */
static bool mid_call(const struct pt_regs *regs)
{
	if (current->in_execve || test_restore_sigmask())
		return true;
	if ((long)regs->orig_ax < 0)
		return false;
	switch ((long)regs->ax) {
	case -ENOSYS:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return true;
	}
	/* The exit stop of a traced call is reported after the task work that ptrace_notify() runs. */
	return READ_ONCE(current_thread_info()->syscall_work) & SYSCALL_WORK_SYSCALL_TRACE;
}

static bool traced(const struct pt_regs *regs)
{
	if (test_thread_flag(TIF_SINGLESTEP) || test_thread_flag(TIF_BLOCKSTEP) ||
	    test_thread_flag(TIF_FORCED_TF))
		return true;
	return regs->flags & (X86_EFLAGS_TF | X86_EFLAGS_VM | X86_EFLAGS_IOPL) ||
	       current->thread.ptrace_dr7 & (DR_LOCAL_ENABLE_MASK | DR_GLOBAL_ENABLE_MASK);
}

/*
 * Descriptors of the thread's own, in the local table or the global one, are not
 * there on application CPUs. Loading one faults; but LAR, LSL, VERR and VERW just
 * say that there is none.
 */
static bool own_descriptors(void)
{
	const struct desc_struct *tls = current->thread.tls_array;
	unsigned int i;
	u64 any = 0;

#ifdef CONFIG_MODIFY_LDT_SYSCALL
	if (READ_ONCE(current->mm->context.ldt))
		return true;
#endif
	BUILD_BUG_ON(sizeof(*tls) != sizeof(any));
	for (i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++)
		any |= *(const u64 *)&tls[i];
	return any;
}

/* The live selectors: thread.fsindex and gsindex are those of the last switch. */
static bool odd_segments(const struct pt_regs *regs)
{
	u16 ds, es, fs, gs;

	savesegment(ds, ds);
	savesegment(es, es);
	savesegment(fs, fs);
	savesegment(gs, gs);
	return regs->cs != __USER_CS || regs->ss != __USER_DS || ds || es || fs || gs ||
	       regs->ip >= TASK_SIZE_MAX;
}

static bool odd_features(void)
{
	if (test_thread_flag(TIF_NOTSC) || test_thread_flag(TIF_NOCPUID) ||
	    test_thread_flag(TIF_IO_BITMAP))
		return true;
#ifdef TIF_SPEC_L1D_FLUSH	/* the data cache is flushed where Linux leaves the thread */
	if (test_thread_flag(TIF_SPEC_L1D_FLUSH))
		return true;
#endif
	if (test_thread_flag(TIF_SSBD) && !boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		return true;
	return apk_user_xfeatures() & APK_XFEATURES_HOME;
}

#ifdef CONFIG_RSEQ
/*
 * Going away is a migration: inside a sequence Linux must abort it first, in
 * this same exit. Outside, a stale pointer is cleared as Linux would clear it.
 */
static bool in_rseq(const struct pt_regs *regs)
{
	struct rseq_cs cs;
	u64 ptr;

	if (!current->rseq)
		return false;
	if (get_user(ptr, &current->rseq->rseq_cs))
		return true;
	if (!ptr)
		return false;
	if (!copy_from_user(&cs, (void __user *)ptr, sizeof(cs)) &&
	    regs->ip - cs.start_ip >= cs.post_commit_offset &&
	    !put_user(0ULL, &current->rseq->rseq_cs))
		return false;
	preempt_disable();
	rseq_migrate(current);
	rseq_set_notify_resume(current);
	preempt_enable();
	return true;
}
#else
static bool in_rseq(const struct pt_regs *regs)
{
	return false;
}
#endif

/* Timers and limits on CPU time fire from the tick, which does not see a thread that is away. */
static bool cpu_timers(void)
{
#ifdef CONFIG_POSIX_TIMERS
	unsigned int i;

	if (READ_ONCE(current->signal->posix_cputimers.timers_active))
		return true;
	for (i = 0; i < CPUCLOCK_MAX; i++) {
		if (READ_ONCE(current->posix_cputimers.bases[i].nextevt) != U64_MAX)
			return true;
	}
#endif
	return task_rlimit(current, RLIMIT_RTTIME) != RLIM_INFINITY;
}

static bool freezing_or_stopping(void)
{
#ifdef CONFIG_CGROUPS
	if (current->frozen)
		return true;
#endif
	return READ_ONCE(current->jobctl) &
	       (JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK | JOBCTL_TRAP_FREEZE);
}

/*
 * Has the task any event? A context stays with it when the last one is closed,
 * and so do, disabled, a tracer's breakpoints, which traced() judges.
 */
static bool perf_counts(void)
{
	int events = 0;
#ifdef CONFIG_PERF_EVENTS
	struct perf_event_context *context;
	unsigned int i;

	for (i = 0; i < APK_PERF_CONTEXTS; i++) {
		if (!apk_perf_context(current, i))
			continue;
		rcu_read_lock();
		context = apk_perf_context(current, i);
		events += context ? READ_ONCE(context->nr_events) : 0;
		rcu_read_unlock();
	}
	if (!events)
		return false;
	for (i = 0; i < HBP_NUM; i++)
		events -= !!current->thread.ptrace_bps[i];
#endif
	return events > 0;
}

/*
 * A quota is enforced on run queues that a thread away is not on, and is not
 * visible to modules: a thread in any group of the cpu controller but the
 * root stays home unless told otherwise. sched_task_group would not tell: the
 * scheduler also groups sessions there, which have no quota.
 */
#ifdef CONFIG_CGROUP_SCHED
static bool in_cpu_group(void)
{
	bool in;

	rcu_read_lock();
	in = rcu_dereference(current->cgroups)->subsys[cpu_cgrp_id] !=
	     rcu_dereference(init_task.cgroups)->subsys[cpu_cgrp_id];
	rcu_read_unlock();
	return in;
}
#else
static bool in_cpu_group(void)
{
	return false;
}
#endif

static bool other_scheduling(void)
{
	return dl_task(current) || (!READ_ONCE(apk_param_cgroups) && in_cpu_group());
}

int decline_now(struct thread *t, struct pt_regs *regs)
{
	if (signal_pending(current))
		return APK_D_SIGNAL;
	if (t->work.next)
		return APK_D_WORK;
	if (mid_call(regs))
		return APK_D_MIDCALL;
	if (traced(regs))
		return APK_D_TRACE;
	if (odd_segments(regs) || own_descriptors())
		return APK_D_SEGMENT;
	if (odd_features())
		return APK_D_FEATURE;
	if (in_rseq(regs))
		return APK_D_RSEQ;
	if (cpu_timers())
		return APK_D_TIMERS;
	if (freezing_or_stopping())
		return APK_D_FREEZE;
	if (perf_counts())
		return APK_D_PERF;
	if (other_scheduling())
		return APK_D_SCHED;
	if (policy_stays(t))
		return APK_D_POLICY;
	return -1;
}

bool decline_others(void)
{
	return cpu_timers() || freezing_or_stopping() || perf_counts() || other_scheduling() ||
	       odd_features() || own_descriptors() || test_thread_flag(TIF_SINGLESTEP);
}

bool decline_fleeting(enum apk_decline why)
{
	return why == APK_D_SIGNAL || why == APK_D_MIDCALL || why == APK_D_RSEQ;
}
