/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An adopted thread's record, and what the files of the visit offer each other.
 */
#ifndef APKERN_THREAD_H
#define APKERN_THREAD_H

#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rcuwait.h>
#include <linux/sched/task_stack.h>
#include <linux/task_work.h>
#include "core.h"
#include "rule.h"

/* What policy.c knows of a thread. */
struct policy {
	struct account account;
	unsigned long faults;	/* of the task, when a tick last found it in user mode at home */
	u32 calls;		/* system calls at home since */
	u32 seen;		/* jiffies, the lower half, at its last return to user mode at home */
};

/* What it has decided: for the tracepoint. */
enum policy_decision {
	APK_P_WAIT,		/* a tick found the thread in user mode, and it stays */
	APK_P_LEAVE,
	APK_P_STAY,		/* its visits do not pay */
	APK_P_BEGIN,		/* away, as soon as it was made */
};

/* A visit, for policy_account(). */
struct trip {
	u64 gain;		/* TSC cycles of user mode */
	u64 lost;		/* TSC cycles that were neither that nor spent serving faults */
	unsigned int passages;	/* ways there and back, those for faults included */
	bool queued;		/* no CPU was idle: what was lost says nothing of passages */
	bool crowd;		/* when it was made ready, or once more, it was in a crowd */
};

/* What a thread chose by sched_setaffinity(): see affinity.c. */
struct affinity {
	raw_spinlock_t lock;		/* for all of it: other tasks may choose, too */
	bool chosen;
	bool home;			/* Linux's own CPUs are in the mask */
	bool freed;			/* of a mask whose last CPU went */
	u64 cpus[APK_CPU_WORDS];	/* indexes of the application CPUs in it */
	struct cpumask of_linux;	/* Linux's mask when it was chosen */
};

/* Pages served ahead: see ahead.c. Addresses here are page numbers, and nothing but guesses. */
struct run {
	u64 next;		/* the first page that was not served */
	unsigned int window;	/* how many pages were served ahead, at the most */
};

struct guess {
	u64 page;
	u64 pages;		/* bit i: page + i was served ahead, and nothing is known of its use */
};

struct ahead {
	unsigned int credit;	/* how many pages more may be served ahead */
	bool proven;		/* one that was has been touched */
	unsigned int oldest;	/* in run */
	unsigned int next;	/* in guess, to be looked at */
	struct run run[4];
	struct guess guess[16];	/* as many blocks as there is credit for */
};

/* Segment bases. */
struct bases {
	u64 fs, gs;
};

struct faults {
	u64 address, ip;	/* the last fault, to notice one that repeats */
	unsigned int repeats;
	struct ahead ahead;
};

/*
 * Found by task_struct in a hash (RCU). Everything is touched by the thread
 * itself only, but for what is marked; the fork probe fills a child's record
 * before the child first runs.
 */
struct thread {
	struct callback_head work;	/* visit_work */
	struct hlist_node node;
	struct rcu_head rcu;
	struct task_struct *task;
	struct rcuwait wait;		/* the doorbell wakes it */
	union {				/* all zero: nothing for a return to user mode to do */
		struct {
			bool queued;	/* work is with task_work */
			bool dead;	/* exiting: the queued work frees the record */
			bool kick;	/* visit before the next user instruction */
			bool at_exec;	/* adopted only when it next executes a program */
			bool moved;	/* by anybody: come home, and leave again at once; see thread_move() */
			bool turn;	/* at home for a turn: see turn_until */
			bool unborn;	/* a new thread, that leaves as soon as it is made if it is in a crowd */
			bool at_call : 1;	/* it came home for a call, and does nothing but that before it is back in visit_work() */
			bool known : 1;	/* counted in space as one whose waits are known; see waits.c */
		};
		u64 busy;
	};
	bool pinned;			/* cpus is not all */
	bool watched;			/* by turn.c, with the next */
	struct preempt_notifier switches;
	bool invited;			/* by anybody: if it is ready, home has a CPU for it; see turn.c */
	unsigned long turn_until;	/* jiffies */
	u64 turn_from;			/* its CPU time, in ns, when it began */
	int slot;			/* -1: none */
	struct space *space;		/* NULL: none bound */
	u64 cpus[APK_CPU_WORDS];	/* indexes of application CPUs asked for */
	struct affinity affinity;
	struct policy policy;
	raw_spinlock_t account_lock;	/* the next three: others may credit while it sleeps */
	u64 credited;			/* of slot.cycles, how many are in the thread's CPU time */
	u64 charged;			/* TSC cycles polled since: Linux charges them itself */
	bool shared;			/* it sleeps, and its time away may be credited by others */
	struct faults faults;
	struct bases sent;		/* those that it left with */
	const struct pid *numbered;	/* whose numbers its slot has */
	int bucket;			/* in which it may wait for a futex, -1: none */
};

/* thread.c */
#define THREAD_RECORDS_BITS	10
struct thread *thread_in(unsigned int slot);	/* in an RCU read section; NULL: nobody */
extern struct hlist_head thread_records[1 << THREAD_RECORDS_BITS];
/* In an RCU read section, or for current; at every return to user mode. */
static inline struct thread *thread_find(struct task_struct *task)
{
	struct hlist_node *node;
	struct thread *t;

	/* Not by hash_for_each_possible_rcu(), which looks twice at each pointer. */
	__hlist_for_each_rcu(node, &thread_records[hash_min((unsigned long)task, THREAD_RECORDS_BITS)]) {
		t = hlist_entry(node, struct thread, node);
		if (t->task == task)
			return t;
	}
	return NULL;
}

void thread_inherit(struct task_struct *parent, struct task_struct *child);	/* fork probe */
void thread_execed(struct task_struct *task);	/* exec probe */
void thread_exiting(struct task_struct *task);	/* exit probe */
void thread_free(struct thread *t);		/* from visit_work of a dead thread; task context */
int thread_take_slot(struct thread *t);		/* if it has none; may sleep */
void thread_drop_space(struct thread *t);
bool thread_queue_work(struct thread *t);	/* current */
void thread_move(struct thread *t);		/* where it may be has changed; in an RCU read section */
void thread_recall_all(struct mm_struct *mm);	/* returns when none that was away in this mm still is */

/* hook.c: the notifier on every return to user mode that sends threads on their visits. */
int hook_init(void);
void hook_exit(void);

/* probe.c: fork, exec and exit of adopted threads. */
int probe_init(void);
void probe_exit(void);

/*
 * regs.c: between pt_regs, live registers and a slot. Task context, current. after_call:
 * since regs_load() it has made the call that it came home for, and nothing else.
 */
void regs_save(struct bases *sent, struct apk_slot *s, struct pt_regs *regs, bool after_call);
void regs_load(const struct bases *sent, struct apk_slot *s, struct pt_regs *regs);
void rseq_lend(struct apk_slot *s, unsigned int linux_cpu);
void rseq_return(void);

/* fault.c: serves a page fault of current's, in place of user mode; false: it is for Linux to see natively. */
bool fault_serve(struct faults *f, const struct apk_slot *s);

/* ahead.c: pages that come with one that was served. */
void ahead_fresh(struct ahead *a);	/* a new thread, or another program */
void ahead_serve(struct ahead *a, struct vm_area_struct *vma, u64 address, unsigned int flags);

/*
 * decline.c. decline_now() returns why current must not visit now, or -1.
 * decline_others() tests the reasons that others can bring about while the
 * thread is away.
 */
int decline_now(struct thread *t, struct pt_regs *regs);
bool decline_others(void);
bool decline_fleeting(enum apk_decline why);	/* over without user code's help: try again at once */

/* answers.c: current's leave to have calls answered away. answers_give() with the slot HOME or EVENT; answers_look() any time. */
void answers_give(struct thread *t, struct apk_slot *s, struct apk_head *h);
void answers_look(struct apk_head *h);

/*
 * waits.c: the account of who may wait for futexes at home. By the thread itself;
 * waits_home() at its return to user mode, with interrupts off, if it is known.
 */
bool waits_counted(void);	/* is there one? any context */
void waits_leave(struct thread *t);
void waits_forget(struct thread *t);
void waits_home(struct thread *t);

/* policy.c: which threads stay home because their visits would not pay. By the thread itself. */
bool policy_stays(struct thread *t);
bool policy_returns(struct thread *t);		/* to user mode at home: does it leave? Interrupts off */

/* It stays, and nothing else is on with it. */
static inline bool policy_rests(const struct thread *t)
{
	return !READ_ONCE(t->busy) && t->policy.account.home && READ_ONCE(apk_param_stay);
}

/*
 * All that a return to user mode costs a thread that stays: has no tick found it
 * in user mode? The time since the last return is the thread's own if this one is
 * from an interrupt: if jiffies changed meanwhile, one has.
 */
static inline bool policy_goes_on(struct thread *t)
{
	struct policy *p = &t->policy;

	if ((long)current_pt_regs()->orig_ax < 0)
		return p->seen == (u32)jiffies;
	p->calls++;
	p->seen = (u32)jiffies;
	return true;
}

bool policy_crowd(void);			/* could somebody else use its home CPU? */
void policy_leaves(void);			/* a visit begins; one of the next two follows */
void policy_account(struct thread *t, const struct trip *trip);
void policy_skips(void);
bool policy_tires(struct thread *t, const struct trip *trip);	/* is it so far that it stays home? */
void policy_fresh(struct thread *t);		/* another program */
void policy_born(struct thread *child);		/* by its parent */
void policy_ends(const struct thread *t);

/*
 * affinity.c: the application CPUs in a thread's affinity mask. Any context;
 * affinity_cpus() says whether there is any.
 */
bool affinity_cpus(struct thread *t, u64 cpus[APK_CPU_WORDS]);
bool affinity_away_only(struct thread *t);	/* no CPU of Linux's is in it */
void affinity_changed(struct thread *t);	/* application CPUs came or went */
void affinity_widen(struct thread *t);	/* by current, in task context: see there */
void affinity_fresh(struct thread *t);
void affinity_inherit(struct thread *child, struct thread *parent);

/* visit.c: calls a thread home that is ready or away, and returns when it is not away. In an RCU read section. */
void visit_call_home(struct apk_head *h);

/*
 * place.c: which application CPU. place_allowed() computes into head.cpus
 * where current may run and says whether there is any; place_expect() guesses
 * which of them will take it, NULL: all have failed; place_ready() makes the slot
 * READY and sees that a CPU knows.
 */
bool place_allowed(struct thread *t, struct apk_head *h);
bool place_changed(struct thread *t, const struct apk_head *h);	/* since then */
struct acpu *place_expect(const struct apk_head *h);
bool place_ready(struct thread *t, const struct apk_head *h);	/* false: no CPU is idle */
bool place_full(const struct apk_head *h);	/* no CPU that may run it is idle */
bool place_idle_last(const struct apk_head *h);	/* the one that it ran on last is, by the last place_allowed() */

/* ready.c: the set of ready threads. ready_count() is in core.h. Any context. */
void ready_add(unsigned int slot);
bool ready_withdraw(unsigned int slot);	/* READY -> HOME; false: a CPU has it */
unsigned int ready_next(unsigned int slot);	/* the first from there on that is READY; APK_MAX_SLOTS: none */
#define for_each_ready(slot)						\
	for ((slot) = ready_next(0); (slot) < APK_MAX_SLOTS; (slot) = ready_next((slot) + 1))

/*
 * turn.c: threads that wait run at home when there is nothing else to do. By the
 * thread itself, but for turn_look().
 */
void turn_look(void);
void turn_watch(struct thread *t);	/* from now on, when it makes its home CPU idle */
void turn_unwatch(struct thread *t);
bool turn_instead(struct thread *t);	/* of leaving: home is free, application CPUs are not */
bool turn_taken(struct thread *t);	/* READY -> HOME: it has been invited */
void turn_begin(struct thread *t);	/* its time away is credited */
bool turn_lasts(struct thread *t);
void turn_end(struct thread *t);	/* it is about to leave */
void turn_init(void);
void turn_exit(void);

/* fair.c: what a thread is owed. The slot's owner calls; fair_lead() may be called by any. */
void fair_weigh(const struct task_struct *task, struct apk_head *h);	/* any state */
void fair_begin(struct apk_head *h);	/* a new thread, or another program */
void fair_charge(struct apk_head *h, u64 ns);	/* it ran at home */
s64 fair_lead(const struct acpu *a, const struct apk_head *h);

/* account.c: the time away is CPU time of the thread. */
void account_away(struct thread *t, u64 cycles);
void account_share(struct thread *t, bool on);
u64 account_running(struct apk_head *h, const struct apk_slot *s);
void account_task(struct task_struct *task);	/* up to now, whoever's it is; any context */

/* groups.c: time away is CPU time of the task's control group. Preemption off. */
void groups_charge(struct task_struct *task, u64 ns);

#endif
