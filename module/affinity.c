// SPDX-License-Identifier: GPL-2.0
/*
 * Application CPUs in affinity masks.
 *
 * Programs and libraries learn from sched_getaffinity() how many threads to
 * start, and bind them by sched_setaffinity(). Linux answers with the CPUs it
 * runs. For an adopted thread both calls are diverted here and speak of
 * application CPUs too, by Linux's own numbers, and the list of CPUs that are
 * online, by which the C library counts processors, shows them to adopted
 * programs.
 *
 * What Linux itself stores is the part of a mask that it can: its own CPUs. The
 * rest is kept in the thread's record, and holds until somebody else changes
 * Linux's mask (a cpuset does): then that decides alone, as for a thread that
 * never set a mask. A thread whose mask has no CPU of Linux's goes back to its
 * application CPUs after every errand, whatever the policy says; its errands
 * run on any CPU of Linux's, and so does the thread when those CPUs failed. When
 * they are given back, it is as when Linux loses the last CPU of a mask: the mask
 * is forgotten.
 */
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sched/task.h>
#include "divert.h"
#include "thread.h"

/* Words that every mask of this kernel's has, with room for more CPUs than it knows on one without SMP. */
#define MASK_WORDS	BITS_TO_LONGS(nr_cpumask_bits)
#define MASK_BITS	(MASK_WORDS * BITS_PER_LONG)

/* Bits may lie beyond Linux's own last CPU, where the functions of cpumask.h do not look. */
static bool mask_test(const struct cpumask *mask, unsigned int cpu)
{
	return cpu < MASK_BITS && test_bit(cpu, cpumask_bits(mask));
}

static void mask_put(unsigned long *bits, unsigned int cpu, bool on)
{
	if (cpu < MASK_BITS)
		__assign_bit(cpu, bits, on);
}

/* Does Linux's own mask of the task allow that CPU? Without SMP it has no number for it. */
static bool linux_allows(struct task_struct *task, const struct acpu *a)
{
	if (!IS_ENABLED(CONFIG_SMP) || a->linux_cpu >= nr_cpu_ids || !READ_ONCE(apk_param_affinity))
		return true;
	return cpumask_test_cpu(a->linux_cpu, task->cpus_ptr);
}

/* Does it allow every CPU that could be ours? */
static bool linux_allows_all(struct task_struct *task)
{
	return !IS_ENABLED(CONFIG_SMP) || !READ_ONCE(apk_param_affinity) ||
	       cpumask_subset(&apk_possible, task->cpus_ptr);
}

/*
 * A thread in a cpuset of its own gets no application CPU: what the cpuset allows
 * is not visible here. Nor is it always in the thread's mask: since 6.2 Linux
 * leaves that alone when the cpuset allows as many of the CPUs that Linux runs as
 * the one before it (cpuset_attach()).
 */
#ifdef CONFIG_CPUSETS
static bool own_cpuset(struct task_struct *task)
{
	bool own;

	rcu_read_lock();
	own = rcu_dereference(task->cgroups)->subsys[cpuset_cgrp_id] !=
	      rcu_dereference(init_task.cgroups)->subsys[cpuset_cgrp_id];
	rcu_read_unlock();
	return own;
}
#else
static bool own_cpuset(struct task_struct *task)
{
	return false;
}
#endif

static bool confined(struct task_struct *task)
{
	return READ_ONCE(apk_param_affinity) && own_cpuset(task);
}

/* Under its lock: does what the thread chose still hold? */
static bool holds(const struct thread *t)
{
	return t->affinity.chosen && cpumask_equal(&t->affinity.of_linux, &t->task->cpus_mask);
}

/* Takes away what Linux's own mask does not allow. Is there any left? */
static bool as_linux_allows(struct task_struct *task, u64 cpus[APK_CPU_WORDS])
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++) {
		if (!cpus_has(cpus, i))
			continue;
		if (linux_allows(task, &apk_cpus[i]))
			any = true;
		else
			cpus[i / 64] &= ~(1ULL << (i % 64));
	}
	return any;
}

/* Under its lock, unless nothing is chosen. Is there any? */
static bool collect(struct thread *t, bool chosen, u64 cpus[APK_CPU_WORDS])
{
	unsigned int word;
	u64 any = 0;

	for (word = 0; word < APK_CPU_WORDS; word++) {
		cpus[word] = t->cpus[word] & READ_ONCE(apk_usable[word]);
		if (chosen)
			cpus[word] &= t->affinity.cpus[word];
		any |= cpus[word];
	}
	return any && (chosen || linux_allows_all(t->task) || as_linux_allows(t->task, cpus));
}

bool affinity_cpus(struct thread *t, u64 cpus[APK_CPU_WORDS])
{
	unsigned long flags;
	bool any;

	if (confined(t->task)) {
		memset(cpus, 0, APK_CPU_WORDS * sizeof(*cpus));
		return false;
	}
	/* Who chooses at this moment calls the thread home afterwards: thread_move(). */
	if (!READ_ONCE(t->affinity.chosen))
		return collect(t, false, cpus);
	raw_spin_lock_irqsave(&t->affinity.lock, flags);
	any = collect(t, holds(t), cpus);
	raw_spin_unlock_irqrestore(&t->affinity.lock, flags);
	return any;
}

bool affinity_away_only(struct thread *t)
{
	unsigned long flags;
	bool only;

	if (!READ_ONCE(t->affinity.chosen) || confined(t->task))
		return false;
	raw_spin_lock_irqsave(&t->affinity.lock, flags);
	only = holds(t) && !t->affinity.home;
	raw_spin_unlock_irqrestore(&t->affinity.lock, flags);
	return only;
}

/* Under its lock: is a CPU left that it chose? One that failed may come back. */
static bool any_left(const struct thread *t)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++) {
		if (cpus_has(t->affinity.cpus, i) && READ_ONCE(apk_cpus[i].state) == ACPU_UP)
			return true;
	}
	return false;
}

/*
 * As Linux does when the last CPU of a mask goes: the thread may run wherever its
 * cpuset allows. Linux's own mask of it is widened by the thread itself.
 */
void affinity_changed(struct thread *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->affinity.lock, flags);
	if (holds(t) && !t->affinity.home && !any_left(t)) {
		t->affinity.home = true;
		t->affinity.freed = true;
		memset(t->affinity.cpus, 0xff, sizeof(t->affinity.cpus));
	}
	raw_spin_unlock_irqrestore(&t->affinity.lock, flags);
}

void affinity_widen(struct thread *t)
{
	unsigned long flags;
	bool freed;

	raw_spin_lock_irqsave(&t->affinity.lock, flags);
	freed = t->affinity.freed && holds(t);
	if (freed)
		t->affinity.chosen = false;
	t->affinity.freed = false;
	raw_spin_unlock_irqrestore(&t->affinity.lock, flags);
	if (freed && !own_cpuset(current))
		set_cpus_allowed_ptr(current, cpu_possible_mask);
}

void affinity_fresh(struct thread *t)
{
	raw_spin_lock_init(&t->affinity.lock);
	t->affinity.chosen = false;
	t->affinity.freed = false;
}

void affinity_inherit(struct thread *child, struct thread *parent)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&parent->affinity.lock, flags);
	child->affinity.chosen = parent->affinity.chosen;
	child->affinity.home = parent->affinity.home;
	child->affinity.freed = parent->affinity.freed;
	memcpy(child->affinity.cpus, parent->affinity.cpus, sizeof(child->affinity.cpus));
	cpumask_copy(&child->affinity.of_linux, &parent->affinity.of_linux);
	raw_spin_unlock_irqrestore(&parent->affinity.lock, flags);
	affinity_changed(child);	/* CPUs may have, since the parent chose */
}

/* In an RCU read section; pid 0: current. NULL: no adopted thread. */
static struct thread *adopted(pid_t pid)
{
	struct task_struct *task = pid ? pid_task(find_vpid(pid), PIDTYPE_PID) : current;
	struct thread *t = task ? thread_find(task) : NULL;

	return t && !READ_ONCE(t->at_exec) ? t : NULL;
}

/*
 * Adds what the thread can use to what Linux says, and hides Linux's CPUs where it
 * must not be: not when all others failed.
 */
static void show(struct thread *t, unsigned long *bits)
{
	unsigned long flags;
	u64 cpus[APK_CPU_WORDS];
	bool chosen, hides;
	unsigned int i;

	if (confined(t->task))
		return;
	raw_spin_lock_irqsave(&t->affinity.lock, flags);
	chosen = holds(t);
	hides = chosen && !t->affinity.home;
	collect(t, chosen, cpus);
	for (i = 0; i < apk_nr_cpus; i++) {
		if (!cpus_has(cpus, i))
			continue;
		if (hides)
			memset(bits, 0, MASK_WORDS * sizeof(*bits));
		hides = false;
		mask_put(bits, apk_cpus[i].linux_cpu, true);
	}
	raw_spin_unlock_irqrestore(&t->affinity.lock, flags);
}

/* long sched_getaffinity(pid_t pid, struct cpumask *mask) */
DIVERT_DECLARE(sched_getaffinity);
static unsigned long instead_of_sched_getaffinity(DIVERT_ARGS)
{
	unsigned long ret = divert_original(sched_getaffinity)(DIVERT_PASS);
	struct thread *t;

	if (!ret) {
		rcu_read_lock();
		t = adopted(a);
		if (t)
			show(t, cpumask_bits((struct cpumask *)b));
		rcu_read_unlock();
	}
	divert_done();
	return ret;
}

/*
 * What a new mask means: the application CPUs in it, by index, those that are not
 * but could be, and whether it has CPUs of Linux's.
 */
struct choice {
	u64 cpus[APK_CPU_WORDS], later[APK_CPU_WORDS];
	bool away, home;
};

/* Splits the mask; what is left in it is for Linux. In an RCU read section. */
static void split(struct thread *t, struct cpumask *mask, struct choice *c)
{
	bool bound = confined(t->task);
	unsigned int i;

	*c = (struct choice){};
	for (i = 0; i < apk_nr_cpus; i++) {
		unsigned int cpu = apk_cpus[i].linux_cpu;

		if (!mask_test(mask, cpu))
			continue;
		if (!acpu_taken(&apk_cpus[i])) {
			cpus_add(c->later, i);
			continue;
		}
		mask_put(cpumask_bits(mask), cpu, false);
		if (!cpus_has(t->cpus, i) || !acpu_usable(&apk_cpus[i]) || bound)
			continue;
		cpus_add(c->cpus, i);
		c->away = true;
	}
	c->home = cpumask_intersects(mask, cpu_active_mask);
}

/*
 * Keeps what Linux cannot, and sees that it takes effect wherever the thread is. A
 * CPU that Linux runs and has left in the mask stays in it should it become ours.
 */
static void choose(struct thread *t, const struct choice *c)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&t->affinity.lock, flags);
	t->affinity.chosen = true;
	t->affinity.freed = false;
	t->affinity.home = c->home;
	memcpy(t->affinity.cpus, c->cpus, sizeof(t->affinity.cpus));
	cpumask_copy(&t->affinity.of_linux, &t->task->cpus_mask);
	for (i = 0; i < apk_nr_cpus; i++) {
		if (cpus_has(c->later, i) && mask_test(&t->affinity.of_linux, apk_cpus[i].linux_cpu))
			cpus_add(t->affinity.cpus, i);
	}
	raw_spin_unlock_irqrestore(&t->affinity.lock, flags);
	thread_move(t);
}

/*
 * long sched_setaffinity(pid_t pid, const struct cpumask *mask)
 *
 * Linux is called in any case: it checks who may do this, and to whom. Where no
 * CPU of its own is asked for it gets them all.
 */
DIVERT_DECLARE(sched_setaffinity);
static unsigned long set(pid_t pid, const struct cpumask *mask)
{
	cpumask_var_t rest;
	struct choice c;
	struct thread *t;
	long ret;

	if (!alloc_cpumask_var(&rest, GFP_KERNEL))
		return -ENOMEM;
	memcpy(cpumask_bits(rest), cpumask_bits(mask), MASK_WORDS * sizeof(long));
	rcu_read_lock();
	t = adopted(pid);
	if (t)
		split(t, rest, &c);
	rcu_read_unlock();
	if (!t)
		ret = divert_original(sched_setaffinity)(pid, (unsigned long)mask, 0, 0, 0, 0);
	else
		ret = divert_original(sched_setaffinity)(pid, (unsigned long)(c.away && !c.home ? cpu_possible_mask : rest),
							 0, 0, 0, 0);
	if (t && !ret) {
		rcu_read_lock();
		t = adopted(pid);
		if (t)
			choose(t, &c);
		rcu_read_unlock();
	}
	free_cpumask_var(rest);
	return ret;
}

static unsigned long instead_of_sched_setaffinity(DIVERT_ARGS)
{
	unsigned long ret = set(a, (const struct cpumask *)b);

	divert_done();
	return ret;
}

/* Linux's CPUs and ours; NULL: there is no memory. To be freed by bitmap_free(). */
static unsigned long *all_online(void)
{
	unsigned long *bits = bitmap_zalloc(MASK_BITS, GFP_KERNEL);
	unsigned int i;

	if (!bits)
		return NULL;
	bitmap_copy(bits, cpumask_bits(cpu_online_mask), nr_cpu_ids);
	for (i = 0; i < apk_nr_cpus; i++) {
		if (acpu_taken(&apk_cpus[i]))
			mask_put(bits, apk_cpus[i].linux_cpu, acpu_usable(&apk_cpus[i]));
	}
	return bits;
}

static bool current_adopted(void)
{
	bool yes;

	rcu_read_lock();
	yes = adopted(0);
	rcu_read_unlock();
	return yes;
}

/*
 * The files of /sys/devices/system/cpu that hold a list of CPUs:
 * ssize_t show_cpus_attr(struct device *, struct device_attribute *, char *)
 */
DIVERT_DECLARE(show_cpus_attr);
static ssize_t show_online(char *buf)
{
	unsigned long *bits = all_online();
	ssize_t ret;

	if (!bits)
		return -ENOMEM;
	ret = scnprintf(buf, PAGE_SIZE, "%*pbl\n", (int)MASK_BITS, bits);
	bitmap_free(bits);
	return ret;
}

static unsigned long instead_of_show_cpus_attr(DIVERT_ARGS)
{
	const struct device_attribute *attr = (const struct device_attribute *)b;
	unsigned long ret;

	if (!strcmp(attr->attr.name, "online") && current_adopted())
		ret = show_online((char *)c);
	else
		ret = divert_original(show_cpus_attr)(DIVERT_PASS);
	divert_done();
	return ret;
}

/*
 * The files of a cpuset: int cpuset_common_seq_show(struct seq_file *, void *).
 * Its list of effective CPUs is what hwloc, and with it MPI, uses at the most; a
 * thread in the root has all that are online.
 */
#ifdef CONFIG_CPUSETS
DIVERT_DECLARE(cpuset_common_seq_show);
static int show_effective(struct seq_file *file)
{
	unsigned long *bits = all_online();

	if (!bits)
		return -ENOMEM;
	seq_printf(file, "%*pbl\n", (int)MASK_BITS, bits);
	bitmap_free(bits);
	return 0;
}

static bool effective_of_root(struct seq_file *file)
{
	const char *name = seq_cft(file)->name;

	return !seq_css(file)->parent &&
	       (!strcmp(name, "cpus.effective") || !strcmp(name, "effective_cpus"));
}

static unsigned long instead_of_cpuset_common_seq_show(DIVERT_ARGS)
{
	struct seq_file *file = (struct seq_file *)a;
	unsigned long ret;

	if (effective_of_root(file) && current_adopted())
		ret = show_effective(file);
	else
		ret = divert_original(cpuset_common_seq_show)(DIVERT_PASS);
	divert_done();
	return ret;
}
#endif

static struct diversion diversions[] = {
#ifdef CONFIG_CPUSETS
	DIVERSION(cpuset_common_seq_show),
#endif
	DIVERSION(sched_getaffinity),
	DIVERSION(sched_setaffinity),
	DIVERSION(show_cpus_attr),
};

int affinity_init(void)
{
	return divert_begin(diversions, ARRAY_SIZE(diversions), "affinity masks");
}

void affinity_exit(void)
{
	divert_end(diversions, ARRAY_SIZE(diversions));
}
