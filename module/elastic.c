// SPDX-License-Identifier: GPL-2.0
/*
 * Application CPUs come and go: at load and unload, when root writes to add,
 * remove and reset in /sys/kernel/apkern, and when Linux goes down.
 *
 * One change at a time. Order of locks: change_lock; then Linux's for devices
 * and for CPUs going up and down. Nobody takes change_lock who holds one of
 * those, and files in sysfs but the three take none: their readers are waited
 * for under it.
 */
#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "compat.h"
#include "platform.h"

static DEFINE_MUTEX(change_lock);	/* which CPUs are ours, and the next two */
static bool suspended;			/* Linux is about to suspend, or does */
static bool finished;			/* it stops for good */

static int refuse(unsigned int cpu, int err, const char *why)
{
	pr_err("CPU %u %s\n", cpu, why);
	return err;
}

static int check_add(unsigned int cpu, const struct acpu *a)
{
	if (!a)
		return refuse(cpu, -ENOSPC, "is beyond the number of CPUs that the module manages");
	if (acpu_taken(a))
		return refuse(cpu, -EEXIST, READ_ONCE(a->failed) ?
			      "is an application CPU already, and has failed: apkern cpu reset starts it again" :
			      "is an application CPU already");
	return 0;
}

static int check_remove(unsigned int cpu, const struct acpu *a)
{
	return a && acpu_taken(a) ? 0 : refuse(cpu, -ENODEV, "is not an application CPU");
}

static int check_reset(unsigned int cpu, const struct acpu *a)
{
	int err = check_remove(cpu, a);

	if (!err && !READ_ONCE(a->failed))
		err = refuse(cpu, -EALREADY, "has not failed: there is nothing to reset");
	return err;
}

static int add(struct acpu *a)
{
	int err = acpu_start(a);

	if (!err)
		err = sysfs_show_cpu(a);
	if (err && acpu_taken(a) && !acpu_drain(a))
		acpu_leave(a);
	return err;
}

static int remove(struct acpu *a)
{
	int err = acpu_drain(a);

	if (err)
		return refuse(a->linux_cpu, err, "stays: its threads did not come home");
	sysfs_hide_cpu(a);
	acpu_leave(a);
	return 0;
}

static int reset(struct acpu *a)
{
	int err = acpu_drain(a);

	if (err)
		return refuse(a->linux_cpu, err, "stays failed: its threads did not come home");
	return acpu_restart(a);
}

static const struct {
	const char *name;		/* and a colon, before the list in messages */
	int (*check)(unsigned int cpu, const struct acpu *a);
	int (*make)(struct acpu *a);
	bool chosen;			/* what enumerate.c takes the CPU for afterwards */
	bool takes;			/* not while Linux is about to suspend */
} changes[] = {
	[ELASTIC_ADD]	 = { "add: ", check_add, add, true, true },
	[ELASTIC_REMOVE] = { "remove: ", check_remove, remove, false, false },
	[ELASTIC_RESET]	 = { "reset: ", check_reset, reset, true, false },
};

/* What was to be has not come about, or not all of it. */
static void as_taken(const unsigned long *list, unsigned int size)
{
	unsigned int cpu;

	for_each_set_bit(cpu, list, size)
		enumerate_choose(cpu, acpu_taken(acpu_possible(cpu)));
}

/* All of the list is looked at before anything changes. */
static int check(enum elastic_change what, const unsigned long *list, unsigned int size)
{
	unsigned int cpu;
	int err;

	if (finished || (suspended && changes[what].takes)) {
		pr_err("Linux goes down: no CPU changes hands\n");
		return -EBUSY;
	}
	for_each_set_bit(cpu, list, size) {
		err = changes[what].check(cpu, acpu_possible(cpu));
		if (err)
			return err;
	}
	for_each_set_bit(cpu, list, size)
		enumerate_choose(cpu, changes[what].chosen);
	if (enumerate_whole_cores())
		return 0;
	as_taken(list, size);
	return -EINVAL;
}

/* Stops at the first that fails: those before it have changed. */
static int make(enum elastic_change what, const unsigned long *list, unsigned int size)
{
	unsigned int cpu;
	int err = 0;

	for_each_set_bit(cpu, list, size) {
		err = changes[what].make(acpu_possible(cpu));
		if (err)
			break;
	}
	as_taken(list, size);
	return err;
}

static int change(enum elastic_change what, const char *list)
{
	const unsigned long *named;
	unsigned int size;
	int err;

	named = enumerate_parse(changes[what].name, list, &size, &err);
	if (!err)
		err = check(what, named, size);
	if (!err)
		err = make(what, named, size);
	return err;
}

int elastic_change(enum elastic_change what, const char *text)
{
	char *list = kstrdup(text, GFP_KERNEL);
	int err = -ENOMEM;

	if (list)
		err = mutex_lock_interruptible(&change_lock);
	if (!err) {
		err = change(what, strim(list));
		mutex_unlock(&change_lock);
	}
	kfree(list);
	return err;
}

static void init_all(void)
{
	unsigned int i, n = enumerate_count();

	for (i = 0; i < n; i++)
		acpu_init(&apk_cpus[i], i, enumerate_get(i));
	/* The entries are complete before they count; readers depend on the count. */
	virt_store_release(&apk_nr_cpus, n);
}

/* A CPU that cpus= names must come up; of "all", those that can. */
static int take_chosen(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < apk_nr_cpus; i++) {
		const struct candidate *c = enumerate_get(i);

		if (!c->chosen)
			continue;
		err = acpu_start(&apk_cpus[i]);
		if (err == -ENOMEM || (err && c->named))
			return err;
		enumerate_choose(c->linux_cpu, !err);
	}
	return acpu_any() ? 0 : err;
}

int elastic_init(void)
{
	unsigned int n;
	int err = start_init();

	if (err)
		return err;
	mutex_lock(&change_lock);
	suspended = false;
	finished = false;
	init_all();
	err = take_chosen();
	n = acpu_taken_count();
	mutex_unlock(&change_lock);
	if (err) {
		elastic_exit();
		return err;
	}
	pr_info("%u application CPU%s\n", n, n == 1 ? "" : "s");
	return 0;
}

void elastic_exit(void)
{
	unsigned int i;

	mutex_lock(&change_lock);
	for (i = apk_nr_cpus; i--;) {
		struct acpu *a = &apk_cpus[i];

		if (acpu_taken(a)) {
			acpu_drain(a);	/* there are no threads */
			acpu_leave(a);
		}
	}
	for (i = 0; i < apk_nr_cpus; i++)
		memory_cpu_exit(&apk_cpus[i]);
	WRITE_ONCE(apk_nr_cpus, 0);
	mutex_unlock(&change_lock);
}

bool elastic_suspend(void)
{
	bool may;

	mutex_lock(&change_lock);
	may = !acpu_taken_count();
	suspended = may;
	mutex_unlock(&change_lock);
	return may;
}

void elastic_resume(void)
{
	mutex_lock(&change_lock);
	suspended = false;
	mutex_unlock(&change_lock);
}

void elastic_shutdown(void)
{
	unsigned int i;

	mutex_lock(&change_lock);
	finished = true;
	for (i = 0; i < apk_nr_cpus; i++)
		if (acpu_taken(&apk_cpus[i]))
			acpu_halt(&apk_cpus[i]);
	mutex_unlock(&change_lock);
}
