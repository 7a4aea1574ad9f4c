// SPDX-License-Identifier: GPL-2.0
/*
 * A thread's registers, between Linux and its slot. Exact both ways: general
 * registers, segment bases, the extended state, and the processor number that
 * restartable sequences see.
 */
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/spec-ctrl.h>
#include <asm/unistd.h>
#include "compat.h"
#include "thread.h"

#define FOR_EACH_REGISTER(X)						\
	X(r15, r15) X(r14, r14) X(r13, r13) X(r12, r12)			\
	X(r11, r11) X(r10, r10) X(r9, r9) X(r8, r8)			\
	X(bp, rbp) X(di, rdi) X(si, rsi) X(dx, rdx)			\
	X(cx, rcx) X(bx, rbx) X(ax, rax)				\
	X(ip, rip) X(cs, cs) X(flags, rflags) X(sp, rsp) X(ss, ss)

static void *fpu_area(struct apk_slot *s)
{
	return (void *)s + APK_SLOT_FPU;
}

/* Makes the live registers the authority; under fpregs_lock(). */
static void fpu_live(void)
{
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

/*
 * Standard format on both sides: the application CPU may use another compaction.
 * Only XSTATE_BV of the header is written by XSAVE; the rest stays zero.
 */
static void xsave(struct apk_slot *s, u64 mask)
{
	asm volatile("xsave64 (%0)" : : "r"(fpu_area(s)), "a"((u32)mask), "d"((u32)(mask >> 32))
		     : "memory");
}

/*
 * Has a thread the same extended state after the call as before? Of younger calls there is
 * no knowing, and a tracer could change it where it stops the call in its middle.
 */
static bool call_keeps_fpu(u64 call)
{
	switch (call) {
	case __NR_rt_sigreturn:
	case __NR_execve:
	case __NR_execveat:
	case __NR_arch_prctl:
		return false;
	}
	return call <= __NR_clone3 && !current->ptrace &&
	       !READ_ONCE(current_thread_info()->syscall_work);
}

/* An area that has the state is left alone, but for the keys of memory, which mmap() may change. */
static void fpu_save(struct apk_slot *s, bool after_call)
{
	u64 mask = apk_user_xfeatures() & xgetbv(XCR_XFEATURE_ENABLED_MASK);

	if (after_call && s->xmask == mask && call_keeps_fpu(s->regs.rax)) {
		if (mask & XFEATURE_MASK_PKRU)	/* live all the time */
			xsave(s, XFEATURE_MASK_PKRU);
		return;
	}
	s->xmask = mask;
	fpregs_lock();
	fpu_live();
	xsave(s, mask);
	fpregs_unlock();
}

static void fpu_load(struct apk_slot *s)
{
	u64 mask = s->xmask;

	fpregs_lock();
	fpu_live();
	asm volatile("xrstor64 (%0)" : : "r"(fpu_area(s)), "a"((u32)mask), "d"((u32)(mask >> 32))
		     : "memory");
	fpregs_unlock();
}

static u64 fsbase(void)
{
	u64 base;

	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		return rdfsbase();
	rdmsrl(MSR_FS_BASE, base);
	return base;
}

static void bases_save(struct bases *sent, struct apk_slot *s)
{
	s->fsbase = fsbase();
	rdmsrl(MSR_KERNEL_GS_BASE, s->gsbase);
	*sent = (struct bases){ .fs = s->fsbase, .gs = s->gsbase };
}

/*
 * A thread goes away with null selectors. What it loads there (user data, or a
 * null selector with another RPL) it must find at home. True: all were loaded, which
 * clears the bases, or may.
 */
static bool selectors_load(const struct apk_slot *s)
{
	unsigned long flags;

	if (likely(!(s->ds | s->es | s->fs | s->gs)))
		return false;
	loadsegment(ds, s->ds);
	loadsegment(es, s->es);
	preempt_disable();
	current->thread.fsindex = s->fs;
	loadsegment(fs, s->fs);
	local_irq_save(flags);	/* between the two SWAPGS inside */
	asm_load_gs_index(s->gs);
	local_irq_restore(flags);
	current->thread.gsindex = s->gs;
	preempt_enable();
	return true;
}

/*
 * The MSRs are what runs, the copy in thread is what ptrace and a core dump read. They
 * hold what was sent, whoever ran here meanwhile, unless they were cleared; to write
 * them takes long.
 */
static void bases_load(const struct bases *sent, const struct apk_slot *s, bool cleared)
{
	preempt_disable();
	current->thread.fsbase = s->fsbase;
	if (cleared || s->fsbase != sent->fs)
		wrmsrl(MSR_FS_BASE, s->fsbase);
	current->thread.gsbase = s->gsbase;
	if (cleared || s->gsbase != sent->gs)
		wrmsrl(MSR_KERNEL_GS_BASE, s->gsbase);
	preempt_enable();
}

static u64 spec_ctrl(void)
{
	u64 value = 0;

	if (boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		rdmsrl(MSR_IA32_SPEC_CTRL, value);
	return value;
}

/*
 * Between two owners there is a barrier for indirect branches (IBPB): between users,
 * and around a process that asked for it (prctl, seccomp), as Linux does.
 */
static u64 owner(const struct apk_slot *s)
{
	if (test_thread_flag(TIF_SPEC_IB))
		return s->space_id << 32 | 2;
	return (u64)__kuid_val(current_uid()) << 32 | 1;
}

/* Everything but the event, the space and the accounts. State HOME. */
void regs_save(struct bases *sent, struct apk_slot *s, struct pt_regs *regs, bool after_call)
{
	fpu_save(s, after_call);	/* looks at the registers that came home */
#define X(linux, ours) s->regs.ours = regs->linux;
	FOR_EACH_REGISTER(X)
#undef X
	s->regs.rflags |= X86_EFLAGS_IF;
	s->ds = 0;
	s->es = 0;
	s->fs = 0;
	s->gs = 0;
	bases_save(sent, s);
	s->spec_ctrl = spec_ctrl();
	s->owner = owner(s);
	s->pid = task_pid_nr(current);
	memcpy(s->comm, current->comm, sizeof(s->comm));
}

/*
 * After an event. orig_ax is -1: a stale number would make signal delivery
 * restart a system call that was never made.
 */
void regs_load(const struct bases *sent, struct apk_slot *s, struct pt_regs *regs)
{
#define X(linux, ours) regs->linux = s->regs.ours;
	FOR_EACH_REGISTER(X)
#undef X
	regs->orig_ax = -1;
	fpu_load(s);
	bases_load(sent, s, selectors_load(s));
}

/*
 * Lends current's rseq area to the application CPU, which writes its own number
 * there when it is not linux_cpu. Touching it here brings the page in. Where
 * Linux has no number for the CPU, or hands out concurrency ids that must stay
 * unique, the area shows as Linux leaves one that is not registered.
 */
void rseq_lend(struct apk_slot *s, unsigned int linux_cpu)
{
#ifdef CONFIG_RSEQ
	struct rseq __user *r = current->rseq;
	bool hide = !IS_ENABLED(CONFIG_SMP) || APK_RSEQ_HAS_CID || linux_cpu >= nr_cpu_ids;

	s->rseq = 0;
	s->rseq_cpu = linux_cpu;
	if (!r)
		return;
	if (put_user(hide ? 0 : linux_cpu, &r->cpu_id_start) ||
	    put_user(hide ? (u32)RSEQ_CPU_ID_UNINITIALIZED : linux_cpu, &r->cpu_id) ||
	    (hide && apk_rseq_clear_ids(r)))
		return;		/* Linux ends the thread when it comes home, as it would have */
	if (!hide)
		s->rseq = (unsigned long)r;
#else
	s->rseq = 0;
#endif
}

/*
 * On every homecoming: Linux writes the number of the CPU it runs on, and aborts a
 * sequence begun away. It does so after the task work that calls this, in the same
 * round of the exit loop (resume_user_mode_work()), or in the round for which
 * TIF_NOTIFY_RESUME is still set: the event alone is noted, as rseq_preempt() would,
 * and no further round asked for.
 */
void rseq_return(void)
{
#ifdef CONFIG_RSEQ
	if (!current->rseq)
		return;
	preempt_disable();
	__set_bit(RSEQ_EVENT_PREEMPT_BIT, &current->rseq_event_mask);
	preempt_enable();
#endif
}
