// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/apkern: one value a file, CPU lists in Linux's cpulist syntax,
 * counters as plain numbers that only go up.
 *
 *   version build_id cpus possible home_cpus threads slots
 *   add remove reset   written by root: a list of CPUs (elastic.c)
 *   home/NAME       a counter of APK_HOME_COUNTERS
 *   decline/NAME    a counter of APK_DECLINES
 *   cpuN/           N: Linux's number; while the CPU is an application CPU
 *     apicid state thread comm waiting space fatal
 *     counters/NAME a counter of APK_CPU_COUNTERS
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "compat.h"
#include "platform.h"

/* A counter's file: index says which one of its list. */
struct counter {
	struct kobj_attribute attr;
	unsigned int index;
};

#define COUNTER(file, i, show_fn) \
	{ .attr = { .attr = { .name = file, .mode = 0444 }, .show = show_fn }, .index = i }

static unsigned int counter_index(struct kobj_attribute *attr)
{
	return container_of(attr, struct counter, attr)->index;
}

/* The top directory. */

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", APKERN_VERSION);
}

static ssize_t build_id_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%32phN\n", image_build_id());
}

/* Numbers of application CPUs may lie above those that Linux's masks hold. */
static ssize_t list(bool (*has)(const struct acpu *a), char *buf)
{
	unsigned int i, bits = 0;
	unsigned long *map;
	ssize_t len;

	for (i = 0; i < apk_nr_cpus; i++)
		bits = max(bits, apk_cpus[i].linux_cpu + 1);
	map = bitmap_zalloc(bits + 1, GFP_KERNEL);	/* there may be no CPU but the boot CPU */
	if (!map)
		return -ENOMEM;
	for (i = 0; i < apk_nr_cpus; i++)
		if (has(&apk_cpus[i]))
			__set_bit(apk_cpus[i].linux_cpu, map);
	len = sysfs_emit(buf, "%*pbl\n", bits, map);
	bitmap_free(map);
	return len;
}

static ssize_t cpus_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return list(acpu_taken, buf);
}

static bool any(const struct acpu *a)
{
	return true;
}

static ssize_t possible_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return list(any, buf);
}

static ssize_t home_cpus_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(cpu_online_mask));
}

static ssize_t threads_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", thread_count());
}

static ssize_t slots_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", slots_used());
}

#define CHANGE(name, what)						\
static ssize_t name##_store(struct kobject *kobj, struct kobj_attribute *attr, \
			    const char *buf, size_t count)		\
{									\
	int err = elastic_change(what, buf);				\
									\
	return err ?: count;						\
}									\
static struct kobj_attribute name##_attr = __ATTR(name, 0200, NULL, name##_store)

CHANGE(add, ELASTIC_ADD);
CHANGE(remove, ELASTIC_REMOVE);
CHANGE(reset, ELASTIC_RESET);

/*
 * What all of it takes, in bytes: what is there once (beside the module itself, whose size
 * Linux shows), the pages of CPUs, and records and slots of threads.
 */
static ssize_t memory_shared_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%zu\n", image_size() + PAGE_ALIGN(sizeof(*apk_global)) +
			  PAGE_SIZE + apk_nr_cpus * sizeof(*apk_cpus));
}

static ssize_t memory_cpus_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < apk_nr_cpus; i++)
		n += memory_cpu_size(&apk_cpus[i]);
	return sysfs_emit(buf, "%zu\n", n);
}

static ssize_t memory_threads_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%zu\n", threads_size() + slots_size());
}

static struct kobj_attribute memory_shared_attr = __ATTR_RO(memory_shared);
static struct kobj_attribute memory_cpus_attr = __ATTR_RO(memory_cpus);
static struct kobj_attribute memory_threads_attr = __ATTR_RO(memory_threads);
static struct kobj_attribute version_attr = __ATTR_RO(version);
static struct kobj_attribute build_id_attr = __ATTR_RO(build_id);
static struct kobj_attribute cpus_attr = __ATTR_RO(cpus);
static struct kobj_attribute possible_attr = __ATTR_RO(possible);
static struct kobj_attribute home_cpus_attr = __ATTR_RO(home_cpus);
static struct kobj_attribute threads_attr = __ATTR_RO(threads);
static struct kobj_attribute slots_attr = __ATTR_RO(slots);

static struct attribute *top_attrs[] = {
	&version_attr.attr, &build_id_attr.attr, &cpus_attr.attr, &possible_attr.attr,
	&home_cpus_attr.attr, &threads_attr.attr, &slots_attr.attr, &add_attr.attr,
	&remove_attr.attr, &reset_attr.attr, &memory_shared_attr.attr,
	&memory_cpus_attr.attr, &memory_threads_attr.attr, NULL,
};

static ssize_t home_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(apk_home->count[counter_index(attr)]));
}

static ssize_t decline_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(apk_home->decline[counter_index(attr)]));
}

static struct counter home_counters[] = {
#define X(name, text, meaning) COUNTER(text, APK_H_##name, home_show),
	APK_HOME_COUNTERS(X)
#undef X
};

static struct counter decline_counters[] = {
#define X(name, text, meaning) COUNTER(text, APK_D_##name, decline_show),
	APK_DECLINES(X)
#undef X
};

/* Filled by list_counters(), with NULL behind the last. */
static struct attribute *home_attrs[APK_HOME_COUNTER_COUNT + 1];
static struct attribute *decline_attrs[APK_DECLINE_COUNT + 1];

static const struct attribute_group top_group = { .attrs = top_attrs };
static const struct attribute_group home_group = { .name = "home", .attrs = home_attrs };
static const struct attribute_group decline_group = { .name = "decline", .attrs = decline_attrs };
static const struct attribute_group *top_groups[] = {
	&top_group, &home_group, &decline_group, NULL,
};

/* The directory of a CPU. */

struct cpu_dir {
	struct kobject kobj;
	struct acpu *cpu;
};

static struct acpu *cpu_of(struct kobject *kobj)
{
	return container_of(kobj, struct cpu_dir, kobj)->cpu;
}

static ssize_t apicid_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", cpu_of(kobj)->apicid);
}

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	static const char *const names[] = {
		[APK_CPU_DOWN]	 = "down",
		[APK_CPU_POLL]	 = "polling",
		[APK_CPU_HALT]	 = "halted",
		[APK_CPU_RUN]	 = "running",
		[APK_CPU_PARKED] = "parked",
		[APK_CPU_FAILED] = "failed",
	};
	const struct acpu *a = cpu_of(kobj);
	u32 state = READ_ONCE(a->head->state);

	/* It has failed when home knows: only then can it be reset. */
	if (READ_ONCE(a->failed))
		state = APK_CPU_FAILED;
	else if (state >= APK_CPU_FAILED)
		state = APK_CPU_RUN;
	return sysfs_emit(buf, "%s\n", names[state]);
}

/* The thread that runs there: false when none does. */
static bool running(struct kobject *kobj, pid_t *pid, char comm[TASK_COMM_LEN])
{
	u32 slot = READ_ONCE(cpu_of(kobj)->head->slot);

	return slot && slot <= APK_MAX_SLOTS && thread_running(slot - 1, pid, comm);
}

static ssize_t thread_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	char comm[TASK_COMM_LEN];
	pid_t pid;

	return sysfs_emit(buf, "%d\n", running(kobj, &pid, comm) ? pid : 0);
}

static ssize_t comm_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	char comm[TASK_COMM_LEN];
	pid_t pid;

	return sysfs_emit(buf, "%s\n", running(kobj, &pid, comm) ? comm : "");
}

static ssize_t waiting_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", ready_count(cpu_of(kobj)->index));
}

static ssize_t space_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(cpu_of(kobj)->head->space));
}

static ssize_t fatal_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct apk_fatal *f = &cpu_of(kobj)->cfg->fatal;
	const char *why = READ_ONCE(cpu_of(kobj)->why);

	if (READ_ONCE(f->kind) == APK_FATAL_NONE)
		return sysfs_emit(buf, "%s\n", why ?: "");
	return sysfs_emit(buf, "%.64s:%u: %.64s\n", f->file, f->line, f->text);
}

/* Where its pages are in the mapping of /dev/apkern. */
static ssize_t index_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", cpu_of(kobj)->index);
}

static struct kobj_attribute index_attr = __ATTR_RO(index);
static struct kobj_attribute apicid_attr = __ATTR_RO(apicid);
static struct kobj_attribute state_attr = __ATTR_RO(state);
static struct kobj_attribute thread_attr = __ATTR_RO(thread);
static struct kobj_attribute comm_attr = __ATTR_RO(comm);
static struct kobj_attribute waiting_attr = __ATTR_RO(waiting);
static struct kobj_attribute space_attr = __ATTR_RO(space);
static struct kobj_attribute fatal_attr = __ATTR_RO(fatal);

static struct attribute *cpu_attrs[] = {
	&index_attr.attr, &apicid_attr.attr, &state_attr.attr, &thread_attr.attr, &comm_attr.attr,
	&waiting_attr.attr, &space_attr.attr, &fatal_attr.attr, NULL,
};

static ssize_t cpu_counter_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  READ_ONCE(cpu_of(kobj)->stat->count[counter_index(attr)]));
}

static struct counter cpu_counters[] = {
#define X(name, text, meaning) COUNTER(text, APK_C_##name, cpu_counter_show),
	APK_CPU_COUNTERS(X)
#undef X
};

static struct attribute *cpu_counter_attrs[APK_CPU_COUNTER_COUNT + 1];

static const struct attribute_group cpu_group = { .attrs = cpu_attrs };
static const struct attribute_group cpu_counter_group = {
	.name = "counters", .attrs = cpu_counter_attrs,
};
static const struct attribute_group *cpu_groups[] = { &cpu_group, &cpu_counter_group, NULL };

static void cpu_dir_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct cpu_dir, kobj));
}

static const struct kobj_type cpu_dir_type = {
	.release	= cpu_dir_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= cpu_groups,
};

static struct kobject *top;
static struct cpu_dir *cpu_dirs[APK_MAX_CPUS];	/* by index */

int sysfs_show_cpu(struct acpu *a)
{
	struct cpu_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int err;

	if (!dir)
		return -ENOMEM;
	dir->cpu = a;
	err = kobject_init_and_add(&dir->kobj, &cpu_dir_type, top, "cpu%u", a->linux_cpu);
	if (err) {
		kobject_put(&dir->kobj);
		return err;
	}
	cpu_dirs[a->index] = dir;
	return 0;
}

/* Waits for readers. */
void sysfs_hide_cpu(struct acpu *a)
{
	struct cpu_dir *dir = cpu_dirs[a->index];

	if (dir) {
		kobject_del(&dir->kobj);
		kobject_put(&dir->kobj);
	}
	cpu_dirs[a->index] = NULL;
}

static void list_counters(struct attribute **attrs, struct counter *counters, unsigned int n)
{
	while (n--)
		attrs[n] = &counters[n].attr.attr;
}

static void hide_all(void)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++)
		sysfs_hide_cpu(&apk_cpus[i]);
	kobject_del(top);
	kobject_put(top);
	top = NULL;
}

int sysfs_init(void)
{
	unsigned int i;
	int err = 0;

	list_counters(home_attrs, home_counters, ARRAY_SIZE(home_counters));
	list_counters(decline_attrs, decline_counters, ARRAY_SIZE(decline_counters));
	list_counters(cpu_counter_attrs, cpu_counters, ARRAY_SIZE(cpu_counters));
	top = kobject_create_and_add("apkern", kernel_kobj);
	if (!top)
		return -ENOMEM;
	/* The directories of CPUs first: once the others are there, CPUs may come and go. */
	for (i = 0; !err && i < apk_nr_cpus; i++)
		if (acpu_taken(&apk_cpus[i]))
			err = sysfs_show_cpu(&apk_cpus[i]);
	if (!err)
		err = sysfs_create_groups(top, top_groups);
	if (err)
		hide_all();
	return err;
}

/* Waits for readers and changes; no file is touched afterwards. */
void sysfs_exit(void)
{
	sysfs_remove_groups(top, top_groups);
	hide_all();
}
