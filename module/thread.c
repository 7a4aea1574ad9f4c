// SPDX-License-Identifier: GPL-2.0
/*
 * Adopted threads: their records, from adoption to exit.
 *
 * A record is found by its task through a hash that is read under RCU and
 * written under records_lock. It holds one reference on the module, dropped
 * by the RCU callback that frees it, so that rmmod finds the module busy as
 * long as a thread is adopted.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "thread.h"

DEFINE_HASHTABLE(thread_records, THREAD_RECORDS_BITS);
static DEFINE_RAW_SPINLOCK(records_lock);
static struct thread *slot_owner[APK_MAX_SLOTS];	/* RCU, written by the owner */
static atomic_t adopted = ATOMIC_INIT(0);

/*
 * Records for children: the fork probe must not allocate on kernels where
 * allocation sleeps. Filled from task context and by a work item.
 */
#define SPARES	64
static struct thread *spare[SPARES];
static unsigned int spares;
static DEFINE_RAW_SPINLOCK(spare_lock);

static void spare_refill(struct work_struct *work)
{
	unsigned long flags;
	struct thread *t;
	bool kept = true;

	while (kept && READ_ONCE(spares) < SPARES) {
		t = kzalloc(sizeof(*t), GFP_KERNEL);
		if (!t)
			return;
		raw_spin_lock_irqsave(&spare_lock, flags);
		kept = spares < SPARES;
		if (kept)
			spare[spares++] = t;
		raw_spin_unlock_irqrestore(&spare_lock, flags);
		if (!kept)
			kfree(t);
	}
}

static DECLARE_WORK(spare_work, spare_refill);

static struct thread *spare_take(void)
{
	struct thread *t = NULL;
	unsigned long flags;
	bool low;

	raw_spin_lock_irqsave(&spare_lock, flags);
	if (spares)
		t = spare[--spares];
	low = spares < SPARES / 2;
	raw_spin_unlock_irqrestore(&spare_lock, flags);
	if (low)
		schedule_work(&spare_work);
	if (!t && !IS_ENABLED(CONFIG_PREEMPT_RT))
		t = kzalloc(sizeof(*t), GFP_ATOMIC);
	return t;
}

static struct thread *find_current(void)
{
	struct thread *t;

	rcu_read_lock();
	t = thread_find(current);	/* only current frees its own record */
	rcu_read_unlock();
	return t;
}

/* Before the task first runs, or by the task itself. */
static void record_add(struct thread *t, struct task_struct *task)
{
	unsigned long flags;

	__module_get(THIS_MODULE);
	t->task = task;
	t->slot = -1;
	t->bucket = -1;
	rcuwait_init(&t->wait);
	raw_spin_lock_init(&t->account_lock);
	init_task_work(&t->work, visit_work);
	policy_fresh(t);
	affinity_fresh(t);
	ahead_fresh(&t->faults.ahead);
	atomic_inc(&adopted);
	raw_spin_lock_irqsave(&records_lock, flags);
	hash_add_rcu(thread_records, &t->node, (unsigned long)task);
	raw_spin_unlock_irqrestore(&records_lock, flags);
}

static void record_release(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct thread, rcu));
	module_put(THIS_MODULE);
}

void thread_drop_space(struct thread *t)
{
	if (!t->space)
		return;
	waits_forget(t);
	space_put(t->space);
	t->space = NULL;
}

static void drop_slot(struct thread *t)
{
	if (t->slot < 0)
		return;
	WRITE_ONCE(slot_owner[t->slot], NULL);
	slot_free(t->slot);
	t->slot = -1;
}

int thread_take_slot(struct thread *t)
{
	unsigned int index;
	int ret;

	if (t->slot >= 0 && slot_paid(t->slot))
		return 0;
	drop_slot(t);		/* it is another user's thread by now */
	ret = slot_alloc(&index);
	if (ret)
		return ret;
	turn_watch(t);
	t->slot = index;
	t->credited = 0;
	fair_begin(&apk_global->head[index]);
	WRITE_ONCE(slot_owner[index], t);
	return 0;
}

void thread_free(struct thread *t)
{
	unsigned long flags;

	turn_unwatch(t);
	thread_drop_space(t);
	drop_slot(t);
	raw_spin_lock_irqsave(&records_lock, flags);
	hash_del_rcu(&t->node);
	raw_spin_unlock_irqrestore(&records_lock, flags);
	atomic_dec(&adopted);
	call_rcu(&t->rcu, record_release);
}

bool thread_queue_work(struct thread *t)
{
	t->queued = true;
	if (task_work_add(current, &t->work, TWA_RESUME)) {
		t->queued = false;
		return false;
	}
	return true;
}

/* Turns a mask of Linux CPU numbers into one of indexes; nothing set means all. */
static int cpus_asked(const struct apkern_adopt *a, u64 *cpus, bool *pinned)
{
	unsigned int cpu;
	struct acpu *ac;

	memset(cpus, 0, APK_CPU_WORDS * sizeof(*cpus));
	*pinned = false;
	for (cpu = 0; cpu < APKERN_CPU_WORDS * 64; cpu++) {
		if (!(a->cpus[cpu / 64] >> (cpu % 64) & 1))
			continue;
		ac = acpu_by_linux(cpu);
		if (!ac)
			return -EINVAL;
		cpus_add(cpus, ac->index);
		*pinned = true;
	}
	if (!*pinned)
		memset(cpus, 0xff, APK_CPU_WORDS * sizeof(*cpus));
	return 0;
}

int thread_adopt(const struct apkern_adopt *a, bool at_exec)
{
	u64 cpus[APK_CPU_WORDS];
	struct thread *t;
	bool pinned, fresh;
	int ret;

	ret = cpus_asked(a, cpus, &pinned);
	if (ret)
		return ret;
	t = find_current();
	fresh = !t;
	if (fresh) {
		t = kzalloc(sizeof(*t), GFP_KERNEL);
		if (!t)
			return -ENOMEM;
		t->at_exec = at_exec;
		record_add(t, current);
		apk_count(APK_H_ADOPTED);
	}
	/* Who was adopted before keeps what was chosen for it, unless this asks for something else. */
	if (fresh || pinned) {
		memcpy(t->cpus, cpus, sizeof(cpus));
		t->pinned = pinned;
		WRITE_ONCE(t->affinity.chosen, false);
	}
	if (!at_exec)
		t->at_exec = false;
	t->kick = !t->at_exec && !policy_stays(t);
	return 0;
}

void thread_inherit(struct task_struct *parent, struct task_struct *child)
{
	struct thread *p, *t;

	rcu_read_lock();
	p = thread_find(parent);
	if (p && !p->at_exec && !(child->flags & (PF_KTHREAD | PF_IO_WORKER))) {
		t = spare_take();
		if (t) {
			memcpy(t->cpus, p->cpus, sizeof(t->cpus));
			t->pinned = p->pinned;
			record_add(t, child);
			policy_born(t);
			affinity_inherit(t, p);
			t->kick = !policy_stays(t);
			apk_count(APK_H_ADOPTED);
		}
	}
	rcu_read_unlock();
}

void thread_execed(struct task_struct *task)
{
	struct thread *t;

	rcu_read_lock();
	t = thread_find(task);
	if (t) {
		t->at_exec = false;
		policy_fresh(t);
		ahead_fresh(&t->faults.ahead);
		t->kick = t->space || !policy_stays(t);		/* the old program's */
	}
	rcu_read_unlock();
}

/*
 * The probe runs before exit_task_work(), which is the task context in which
 * everything is given back: queue the work if it is not.
 */
void thread_exiting(struct task_struct *task)
{
	struct thread *t;

	rcu_read_lock();
	t = thread_find(task);
	if (t) {
		t->dead = true;
		policy_ends(t);
		if (!t->queued)
			thread_queue_work(t);
	}
	rcu_read_unlock();
}

/*
 * Wherever the thread is: waiting for its visit's end, it sees the flag; in
 * user mode at home, the interrupt lets hook.c see it.
 */
void thread_move(struct thread *t)
{
	__atomic_store_n(&t->moved, true, __ATOMIC_SEQ_CST);
	rcuwait_wake_up(&t->wait);
	if (t->task != current)
		kick_process(t->task);
}

void thread_recall_all(struct mm_struct *mm)
{
	struct thread *t;
	unsigned int i;

	for (i = 0; i < APK_MAX_SLOTS; i++) {
		rcu_read_lock();
		t = READ_ONCE(slot_owner[i]);
		if (t && t->task != current && READ_ONCE(t->task->mm) == mm) {
			thread_move(t);
			visit_call_home(&apk_global->head[i]);
		}
		rcu_read_unlock();
	}
}

void thread_cpus_changed(void)
{
	struct thread *t;
	unsigned int i;

	mb();	/* what has changed, before the records: a thread that is missed here takes its slot later, and sees it */
	rcu_read_lock();
	hash_for_each_rcu(thread_records, i, t, node) {
		affinity_changed(t);
		thread_move(t);
	}
	rcu_read_unlock();
}

bool thread_waits_for(unsigned int cpu)
{
	const u32 there = APK_AWAY | cpu << APK_STATE_CPU_SHIFT;
	struct apk_head *h;
	unsigned int i;
	u32 state, kind;

	for (i = 0; i < APK_MAX_SLOTS; i++) {
		h = &apk_global->head[i];
		state = __atomic_load_n(&h->state, __ATOMIC_ACQUIRE);
		kind = state & APK_STATE_MASK;
		if (state == there ||
		    ((kind == APK_READY || kind == APK_AWAY) && cpus_has(h->cpus, cpu)))
			return true;
	}
	return false;
}

struct thread *thread_in(unsigned int slot)
{
	return READ_ONCE(slot_owner[slot]);
}

unsigned int thread_count(void)
{
	return atomic_read(&adopted);
}

/* The spare ones, too. */
size_t threads_size(void)
{
	return (thread_count() + READ_ONCE(spares)) * sizeof(struct thread);
}

void thread_wake(unsigned int slot)
{
	struct thread *t;

	if (slot >= APK_MAX_SLOTS)
		return;
	rcu_read_lock();
	t = READ_ONCE(slot_owner[slot]);
	if (t)
		rcuwait_wake_up(&t->wait);
	rcu_read_unlock();
}

void thread_wake_all(void)
{
	unsigned int i;

	for (i = 0; i < APK_MAX_SLOTS; i++)
		thread_wake(i);
}

bool thread_running(unsigned int slot, pid_t *pid, char comm[TASK_COMM_LEN])
{
	struct thread *t;

	if (slot >= APK_MAX_SLOTS)
		return false;
	rcu_read_lock();
	t = READ_ONCE(slot_owner[slot]);
	if (t) {
		*pid = task_pid_nr(t->task);
		strscpy(comm, t->task->comm, TASK_COMM_LEN);
	}
	rcu_read_unlock();
	return t;
}

int thread_init(void)
{
	int ret;

	spare_refill(NULL);
	turn_init();
	ret = hook_init();
	if (ret)
		goto spares;
	ret = probe_init();
	if (ret)
		goto hook;
	return 0;
hook:
	hook_exit();
spares:
	turn_exit();
	while (spares)
		kfree(spare[--spares]);
	return ret;
}

void thread_exit(void)
{
	probe_exit();
	hook_exit();
	turn_exit();
	cancel_work_sync(&spare_work);
	while (spares)
		kfree(spare[--spares]);
	rcu_barrier();
#ifdef CONFIG_TASKS_RCU
	synchronize_rcu_tasks();	/* a task may be preempted in the last instructions of visit_work() */
#endif
}
