// SPDX-License-Identifier: GPL-2.0
/*
 * Which threads stay home because their visits would cost more than they give, and
 * when they leave. docs/policy.md has the rule, rule.c its arithmetic; here is what
 * it is told.
 */
#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/task_stack.h>
#include <asm/tsc.h>
#include <asm/unistd.h>
#include "thread.h"
#include "trace.h"

#define PASSAGE_US	10	/* what one costs, before any was made */
#define TRYOUT		128	/* passages that a try-out in a crowd may lose, at the least */
#define OUTLIER		4	/* times the mean: somebody else made it so long */
#define MEMORY		8	/* passages that the mean is of, about */

static atomic_t visits = ATOMIC_INIT(0);	/* threads away, or ready */
static u64 passage;				/* the moving mean of its cost; racing writers do no harm */

/*
 * Processes whose new threads came to nothing, the last of those that share an
 * entry. Racing writers do no harm.
 */
#define HISTORY_BITS	8
#define IN_VAIN		3	/* so many in a row: the next begin at home */
static struct {
	pid_t process;
	unsigned int failed;	/* in a row */
} history[1 << HISTORY_BITS];

static struct rule rule_now(void)
{
	u64 one = READ_ONCE(passage) ?: (u64)PASSAGE_US * tsc_khz / 1000;

	return (struct rule){
		.passage = one,
		.tick = (u64)tsc_khz * 1000 / HZ,
		.stay = (u64)READ_ONCE(apk_param_stay_ms) * tsc_khz,
		/* A millisecond, or where passages are dear, those that a program needs to begin. */
		.patience = max_t(u64, tsc_khz, TRYOUT * one),
		.loss = READ_ONCE(apk_param_loss),
	};
}

/* Could somebody else use current's home CPU? others: threads away beside current. */
static bool crowd(int others)
{
	return others >= (int)num_online_cpus() || !single_task_running();
}

/* The visit of current's is counted. */
bool policy_crowd(void)
{
	return crowd(atomic_read(&visits) - 1);
}

static bool in_vain(pid_t process)
{
	unsigned int i = hash_32(process, HISTORY_BITS);

	return READ_ONCE(history[i].process) == process &&
	       READ_ONCE(history[i].failed) >= IN_VAIN;
}

static void remember(const struct thread *t, bool failed)
{
	pid_t process = t->task->tgid;
	unsigned int i = hash_32(process, HISTORY_BITS);
	unsigned int before = history[i].process == process ? history[i].failed : 0;

	WRITE_ONCE(history[i].process, process);
	WRITE_ONCE(history[i].failed, failed ? before + 1 : 0);
}

bool policy_stays(struct thread *t)
{
	struct policy *p = &t->policy;

	if (!p->account.home || !READ_ONCE(apk_param_stay))
		return false;
	if (affinity_away_only(t))
		p->account.home = false;
	return p->account.home;
}

static unsigned long faults(const struct thread *t)
{
	return t->task->min_flt + t->task->maj_flt;
}

/* What calls and faults there were says nothing of what comes now. */
static void look_again(struct thread *t)
{
	t->policy.seen = (u32)jiffies;
	t->policy.calls = 0;
	t->policy.faults = faults(t);
}

/* Calls and faults since a tick last found the thread in user mode at home. */
static u32 errands(struct thread *t)
{
	return t->policy.calls + (u32)(faults(t) - t->policy.faults);
}

/* A tick found current in user mode at home. */
static bool leaves(struct thread *t)
{
	struct account *a = &t->policy.account;
	u32 calls = errands(t);
	struct rule r = rule_now();
	bool many = crowd(atomic_read(&visits)), go;
	u64 needed = rule_needed(a, &r, many);

	look_again(t);
	if (!acpu_any())
		return false;
	go = rule_tick(a, &r, rdtsc(), calls, many) || affinity_away_only(t);
	trace_apkern_policy(t->task->pid, go ? APK_P_LEAVE : APK_P_WAIT, many,
			    rule_stretch(a, &r, calls), needed);
	return go;
}

/*
 * Is a new thread still being made? C libraries and run times have it make some of
 * these calls, and touch its stack, before its function runs; the call after which
 * they run it, or the next tick, ends that. Away each would be a passage.
 */
static bool setting_up(const struct thread *t)
{
	const struct pt_regs *regs = current_pt_regs();

	switch ((long)regs->orig_ax) {
	case __NR_clone:
	case __NR_clone3:
	case __NR_rseq:
	case __NR_set_robust_list:
	case __NR_set_tid_address:
	case __NR_gettid:
	case __NR_sigaltstack:
	case __NR_arch_prctl:
		return true;
	}
	return (long)regs->orig_ax < 0 && t->policy.seen == (u32)jiffies;
}

/* As soon as it is made. */
static bool begins(struct thread *t)
{
	t->unborn = false;
	look_again(t);
	if (!acpu_any() || !crowd(atomic_read(&visits)))
		return false;
	trace_apkern_policy(t->task->pid, APK_P_BEGIN, true, 0, 0);
	return true;
}

static bool set_out(struct thread *t)
{
	t->policy.account.home = false;
	t->kick = true;
	apk_count(APK_H_LEAVE);
	return true;
}

bool policy_returns(struct thread *t)
{
	struct policy *p = &t->policy;

	if (!p->account.home || !READ_ONCE(apk_param_stay))
		return true;
	if (t->unborn)
		return !setting_up(t) && begins(t) && set_out(t);
	if (policy_goes_on(t))
		return false;
	return leaves(t) && set_out(t);
}

void policy_leaves(void)
{
	atomic_inc(&visits);
}

/* What a passage of the trip cost. */
static u64 price(const struct trip *trip, const struct rule *r)
{
	if (trip->queued)
		return r->passage;
	return min_t(u64, div_u64(trip->lost, trip->passages), OUTLIER * r->passage);
}

bool policy_tires(struct thread *t, const struct trip *trip)
{
	struct account now = t->policy.account;
	struct rule r = rule_now();
	bool many = trip->crowd || policy_crowd();

	return READ_ONCE(apk_param_stay) &&
	       rule_visit(&now, &r, rdtsc(), trip->gain, price(trip, &r) * trip->passages, many) ==
		       VERDICT_STAY &&
	       !affinity_away_only(t);
}

void policy_account(struct thread *t, const struct trip *trip)
{
	struct rule r = rule_now();
	struct policy *p = &t->policy;
	bool many = crowd(atomic_dec_return(&visits)) || trip->crowd, before = p->account.proven;
	u64 one = price(trip, &r);
	enum verdict verdict;

	if (!trip->queued)
		WRITE_ONCE(passage, r.passage + (s64)(one - r.passage) / MEMORY);
	if (affinity_away_only(t))
		return;
	verdict = rule_visit(&p->account, &r, rdtsc(), trip->gain, one * trip->passages, many);
	if (p->account.proven && !before)
		remember(t, verdict == VERDICT_STAY);
	if (verdict != VERDICT_STAY)
		return;
	look_again(t);
	apk_count(APK_H_STAY);
	trace_apkern_policy(t->task->pid, APK_P_STAY, many, trip->gain, one * trip->passages);
}

/* Nothing is learnt: the visit was not made, or ended for somebody else's sake. */
void policy_skips(void)
{
	atomic_dec(&visits);
}

void policy_fresh(struct thread *t)
{
	t->policy = (struct policy){ .account.home = true };
	look_again(t);
}

void policy_born(struct thread *child)
{
	policy_fresh(child);
	child->unborn = same_thread_group(child->task, current) && !in_vain(current->tgid);
}

/* A thread that ends before a try-out of it did: what it lost is in vain, too. */
void policy_ends(const struct thread *t)
{
	const struct account *a = &t->policy.account;

	if (!a->proven && a->balance < 0)
		remember(t, true);
}
