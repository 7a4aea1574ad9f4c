// SPDX-License-Identifier: GPL-2.0
/*
 * Application CPUs: taking them from Linux, starting them, and giving them
 * back.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/string.h>
#include "compat.h"
#include "platform.h"

#define PARK_MS	1000

static struct acpu cpus[APK_MAX_CPUS];
struct acpu *apk_cpus = cpus;
unsigned int apk_nr_cpus;

struct acpu *acpu_by_linux(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++)
		if (apk_cpus[i].linux_cpu == cpu)
			return &apk_cpus[i];
	return NULL;
}

unsigned int acpu_up(void)
{
	unsigned int i, up = 0;

	for (i = 0; i < apk_nr_cpus; i++)
		up += !READ_ONCE(apk_cpus[i].failed);
	return up;
}

void acpu_command(struct acpu *a, enum apk_command command)
{
	__atomic_store_n(&a->head->command, command, __ATOMIC_SEQ_CST);
	/* Full barrier: the CPU sees the command when the write or the interrupt wakes it. */
	__atomic_fetch_add(&a->head->wake, 1, __ATOMIC_SEQ_CST);
	acpu_ipi(a, APK_VEC_WAKE);
}

int acpu_park(struct acpu *a)
{
	unsigned int ms;

	acpu_command(a, APK_CMD_PARK);
	for (ms = 0; ms < PARK_MS; ms++) {
		if (READ_ONCE(a->head->state) == APK_CPU_PARKED)
			return 0;
		usleep_range(500, 1000);
	}
	return -ETIMEDOUT;
}

static int take(struct acpu *a)
{
	int err;

	if (a->linux_cpu >= nr_cpu_ids || !cpu_online(a->linux_cpu))
		return 0;
	err = compare_cpu(a->linux_cpu);
	if (err)
		return err;
	err = remove_cpu(a->linux_cpu);
	if (err) {
		pr_err("Linux does not give up CPU %u (error %d): see its messages above\n",
		       a->linux_cpu, err);
		return err;
	}
	a->was_online = true;
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

static void init_head(struct acpu *a)
{
	memset(a->head, 0, sizeof(*a->head));
	a->head->apicid = a->apicid;
	a->head->linux_cpu = a->linux_cpu;
}

static int bring_up(struct acpu *a)
{
	int err = take(a);

	if (err)
		return err;
	err = memory_cpu_init(a);
	if (err)
		return err;
	init_head(a);
	config_fill(a);
	warp_prepare(&a->cfg->warp);
	WRITE_ONCE(apk_global->cpus, a->index + 1);
	return start_cpu(a);
}

/* Adds one CPU; on an error everything about it is as before. */
static int add(const struct candidate *c)
{
	struct acpu *a = &apk_cpus[apk_nr_cpus];
	int err;

	memset(a, 0, sizeof(*a));
	a->index = apk_nr_cpus;
	a->linux_cpu = c->linux_cpu;
	a->apicid = c->apicid;
	err = bring_up(a);
	if (err) {
		WRITE_ONCE(apk_global->cpus, a->index);
		memory_cpu_exit(a);
		give_back(a);
		return err;
	}
	/* The entry is complete before it counts; readers depend on the count. */
	virt_store_release(&apk_nr_cpus, apk_nr_cpus + 1);
	topology_show(a);
	return 0;
}

/* A CPU that cpus= names must come up; of "all", those that can. */
int acpu_init(void)
{
	unsigned int i;
	int err = start_init();

	if (err)
		return err;
	for (i = 0; i < enumerate_count(); i++) {
		err = add(enumerate_get(i));
		if (err == -ENOMEM || (err && enumerate_get(i)->named)) {
			acpu_exit();
			return err;
		}
	}
	if (!apk_nr_cpus)
		return err;
	pr_info("%u application CPU%s\n", apk_nr_cpus, apk_nr_cpus > 1 ? "s" : "");
	return 0;
}

static void remove(struct acpu *a)
{
	topology_hide(a);
	if (!READ_ONCE(a->failed) && acpu_park(a))
		pr_warn("CPU %u did not stop when asked to: it is reset\n", a->linux_cpu);
	start_stop(a);
	usleep_range(1000, 2000);	/* a virtual CPU takes INIT when it runs */
	a->started = false;
	WRITE_ONCE(a->head->state, APK_CPU_DOWN);
	memory_cpu_exit(a);
	give_back(a);
}

void acpu_exit(void)
{
	while (apk_nr_cpus) {
		struct acpu *a = &apk_cpus[apk_nr_cpus - 1];

		WRITE_ONCE(apk_nr_cpus, apk_nr_cpus - 1);
		remove(a);
	}
}
