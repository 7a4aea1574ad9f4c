// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/devices/system/cpu/cpuN/topology of application CPUs.
 *
 * Linux shows a CPU's place in the machine while it runs it. Programs that bind
 * their threads to cores read it there (hwloc and with it MPI, OpenMP's places,
 * numactl), so it is shown for application CPUs too: the files that programs
 * read, with Linux's names and formats (Documentation/admin-guide/cputopology.rst).
 * Siblings are other application CPUs only: Linux's own CPUs do not count these
 * among theirs either.
 */
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "compat.h"
#include "platform.h"

static ssize_t show_id(struct device *dev, unsigned int (*of)(u32 apicid), char *buf)
{
	struct acpu *a = acpu_by_linux(dev->id);

	return a ? sysfs_emit(buf, "%u\n", of(a->apicid)) : -ENODEV;
}

/* Application CPUs for which the function of the APIC id says the same. */
static ssize_t show_siblings(struct device *dev, unsigned int (*of)(u32 apicid), bool list, char *buf)
{
	struct acpu *a = acpu_by_linux(dev->id);
	unsigned int i, mine;
	unsigned long *bits;
	ssize_t ret;

	if (!a)
		return -ENODEV;
	bits = bitmap_zalloc(nr_cpu_ids, GFP_KERNEL);
	if (!bits)
		return -ENOMEM;
	mine = of(a->apicid);
	for (i = 0; i < apk_nr_cpus; i++) {
		if (acpu_taken(&apk_cpus[i]) && of(apk_cpus[i].apicid) == mine &&
		    apk_cpus[i].linux_cpu < nr_cpu_ids)
			__set_bit(apk_cpus[i].linux_cpu, bits);
	}
	ret = sysfs_emit(buf, list ? "%*pbl\n" : "%*pb\n", nr_cpu_ids, bits);
	bitmap_free(bits);
	return ret;
}

#define ID(name, of)							\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{									\
	return show_id(dev, of, buf);					\
}									\
static DEVICE_ATTR_RO(name)

#define SIBLINGS(name, of)						\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{									\
	return show_siblings(dev, of, false, buf);			\
}									\
static DEVICE_ATTR_RO(name);						\
static ssize_t name##_list_show(struct device *dev, struct device_attribute *attr, char *buf) \
{									\
	return show_siblings(dev, of, true, buf);			\
}									\
static DEVICE_ATTR_RO(name##_list)

ID(physical_package_id, enumerate_package);
ID(core_id, enumerate_core);
SIBLINGS(core_cpus, enumerate_core);
SIBLINGS(thread_siblings, enumerate_core);
SIBLINGS(package_cpus, enumerate_package);
SIBLINGS(core_siblings, enumerate_package);

static struct attribute *attributes[] = {
	&dev_attr_physical_package_id.attr,
	&dev_attr_core_id.attr,
	&dev_attr_core_cpus.attr,
	&dev_attr_core_cpus_list.attr,
	&dev_attr_thread_siblings.attr,
	&dev_attr_thread_siblings_list.attr,
	&dev_attr_package_cpus.attr,
	&dev_attr_package_cpus_list.attr,
	&dev_attr_core_siblings.attr,
	&dev_attr_core_siblings_list.attr,
	NULL
};

static const struct attribute_group group = { .name = "topology", .attrs = attributes };

void topology_show(struct acpu *a)
{
	struct device *dev = a->linux_cpu < nr_cpu_ids ? get_cpu_device(a->linux_cpu) : NULL;
	int err;

	if (!dev)
		return;
	err = sysfs_create_group(&dev->kobj, &group);
	if (err)
		pr_warn("the topology of CPU %u is not shown (error %d)\n", a->linux_cpu, err);
	a->topology_shown = !err;
}

void topology_hide(struct acpu *a)
{
	if (a->topology_shown)
		sysfs_remove_group(&get_cpu_device(a->linux_cpu)->kobj, &group);
	a->topology_shown = false;
}
