// SPDX-License-Identifier: GPL-2.0
/*
 * One application CPU: taking it from Linux, starting it, and giving it back,
 * while threads run. elastic.c says which, and that one changes at a time.
 *
 * Giving back goes in steps, so that nobody has to look twice:
 *   1. The state says LEAVING: nobody sends a thread there any more.
 *   2. All threads come home and leave again. When none is left that was sent
 *      before that, none can get there, not even by stealing.
 *   3. The CPU parks: no address space is loaded, flushes count as done.
 *   4. started is false: after a grace period nobody interrupts the CPU, waits
 *      for it or ends it as failed, who saw it before.
 * Then it is put into INIT, and Linux may have it.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include "compat.h"
#include "platform.h"

#define DRAIN_MS	10000

static struct acpu cpus[APK_MAX_CPUS];
struct acpu *apk_cpus = cpus;
unsigned int apk_nr_cpus;
struct cpumask apk_possible;
u64 apk_usable[APK_CPU_WORDS];
u32 apk_usable_changes;

struct acpu *acpu_possible(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++)
		if (apk_cpus[i].linux_cpu == cpu)
			return &apk_cpus[i];
	return NULL;
}

struct acpu *acpu_by_linux(unsigned int cpu)
{
	struct acpu *a = acpu_possible(cpu);

	return a && acpu_taken(a) ? a : NULL;
}

unsigned int acpu_taken_count(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < apk_nr_cpus; i++)
		n += acpu_taken(&apk_cpus[i]);
	return n;
}

unsigned int acpu_up(void)
{
	unsigned int word, up = 0;

	for (word = 0; word < APK_CPU_WORDS; word++)
		up += hweight64(READ_ONCE(apk_usable[word]));
	return up;
}

static bool usable(const struct acpu *a)
{
	return READ_ONCE(a->state) == ACPU_UP && !READ_ONCE(a->failed);
}

/*
 * One that fails while it is added is found by one of the two looks, or by who has it
 * fail. It is usable again only when all who had it fail are through: stop().
 */
void acpu_changed(struct acpu *a)
{
	u64 *word = &apk_usable[a->index / 64], bit = 1ULL << (a->index % 64);

	if (usable(a))
		__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
	if (!usable(a))
		__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&apk_usable_changes, 1, __ATOMIC_SEQ_CST);
}

static void set_state(struct acpu *a, enum acpu_state state)
{
	WRITE_ONCE(a->state, state);
	acpu_changed(a);
}

void acpu_command(struct acpu *a, enum apk_command command)
{
	__atomic_store_n(&a->head->command, command, __ATOMIC_SEQ_CST);
	/* Full barrier: the CPU sees the command when the write or the interrupt wakes it. */
	__atomic_fetch_add(&a->head->wake, 1, __ATOMIC_SEQ_CST);
	acpu_ipi(a, APK_VEC_WAKE);
}

/* Whether no thread is there, or could be sent or stolen from before. */
static int wait_home(const struct acpu *a, bool interruptible)
{
	unsigned int ms;

	for (ms = 0; ms < DRAIN_MS; ms++) {
		if (!thread_waits_for(a->index))
			return 0;
		if (interruptible && signal_pending(current))
			return -EINTR;
		usleep_range(500, 1000);
	}
	return -ETIMEDOUT;
}

/* The CPU parks, or has failed. */
static void park(struct acpu *a)
{
	u64 end = apk_deadline();

	acpu_command(a, APK_CMD_PARK);
	while (rdtsc_ordered() < end) {
		if (READ_ONCE(a->head->state) == APK_CPU_PARKED || READ_ONCE(a->failed))
			return;
		usleep_range(500, 1000);
	}
	rcu_read_lock();
	acpu_fail(a, "it does not stop when asked to");
	rcu_read_unlock();
}

/* No thread is there, or can get there. Afterwards nobody knows that it ran. */
static void stop(struct acpu *a)
{
	if (!READ_ONCE(a->failed))
		park(a);
	if (READ_ONCE(a->failed) && wait_home(a, false))
		pr_warn("CPU %u: a thread that was lost with it has not ended\n", a->linux_cpu);
	WRITE_ONCE(a->started, false);
	synchronize_rcu();	/* step 4 above */
	space_quiesce();	/* other application CPUs interrupt those that sleep */
	start_stop(a);
	usleep_range(1000, 2000);	/* a virtual CPU takes INIT when it runs */
	WRITE_ONCE(a->head->state, APK_CPU_DOWN);
	/* Handlers of the doorbell that saw it as failed are through before it looks as if it never had. */
	synchronize_rcu();
	WRITE_ONCE(a->why, NULL);
	a->failing = false;
	WRITE_ONCE(a->failed, false);
}

void acpu_halt(struct acpu *a)
{
	set_state(a, ACPU_LEAVING);
	if (!READ_ONCE(a->failed))
		park(a);
	start_stop(a);
	acpu_dead(a, "Linux goes down");
	thread_wake_all();
}

/* From Linux, if it runs the CPU. */
static int take(struct acpu *a)
{
	int err;

	if (!enumerate_hold(a->linux_cpu))
		return 0;
	err = compare_cpu(a->linux_cpu);
	if (err)
		return err;
	err = remove_cpu(a->linux_cpu);
	if (err < 0) {
		pr_err("Linux does not give up CPU %u (error %d): see its messages above\n",
		       a->linux_cpu, err);
		return err;
	}
	a->was_online = !err;	/* 1: somebody was faster */
	return 0;
}

/* The CPU is in INIT, or was never started. */
static void give_back(struct acpu *a)
{
	int err;

	enumerate_release(a->linux_cpu);
	if (!a->was_online)
		return;
	a->was_online = false;
	err = add_cpu(a->linux_cpu);
	if (err)
		pr_warn("Linux does not take CPU %u back (error %d): write 1 to its \"online\" file in /sys/devices/system/cpu\n",
			a->linux_cpu, err);
}

/*
 * flush_req only goes up, and the CPU begins with all requests so far done:
 * somebody may still wait for one that was made before it stopped.
 */
static void init_head(struct acpu *a)
{
	a->head->apicid = a->apicid;
	a->head->linux_cpu = a->linux_cpu;
	WRITE_ONCE(a->head->command, APK_CMD_NONE);
}

static int bring_up(struct acpu *a)
{
	int err = memory_cpu_init(a);

	if (err)
		return err;
	init_head(a);
	config_fill(a);
	warp_prepare(&a->cfg->warp);
	WRITE_ONCE(apk_global->cpus, max(apk_global->cpus, a->index + 1));
	return start_cpu(a);
}

static void announce(struct acpu *a)
{
	set_state(a, ACPU_UP);
	thread_cpus_changed();
}

void acpu_init(struct acpu *a, unsigned int index, const struct candidate *c)
{
	*a = (struct acpu){
		.index = index, .linux_cpu = c->linux_cpu, .apicid = c->apicid,
		.head = &apk_global->cpu[index],
	};
	if (IS_ENABLED(CONFIG_SMP) && c->linux_cpu < nr_cpu_ids)
		cpumask_set_cpu(c->linux_cpu, &apk_possible);
}

int acpu_start(struct acpu *a)
{
	int err;

	set_state(a, ACPU_STARTING);
	err = take(a);
	if (!err)
		err = bring_up(a);
	if (err) {
		WRITE_ONCE(a->head->state, APK_CPU_DOWN);
		set_state(a, ACPU_ABSENT);
		give_back(a);
		return err;
	}
	topology_show(a);
	announce(a);
	return 0;
}

int acpu_drain(struct acpu *a)
{
	int err;

	set_state(a, ACPU_LEAVING);
	thread_cpus_changed();
	/* Who was about to send a thread there has: see send(). */
	synchronize_rcu();
	err = wait_home(a, true);
	if (err)
		announce(a);
	return err;
}

int acpu_restart(struct acpu *a)
{
	int err;

	stop(a);
	err = bring_up(a);
	if (err) {
		acpu_dead(a, "it did not start again");
		set_state(a, ACPU_UP);
		return err;
	}
	announce(a);
	return 0;
}

void acpu_leave(struct acpu *a)
{
	topology_hide(a);
	stop(a);
	set_state(a, ACPU_ABSENT);
	give_back(a);
}
