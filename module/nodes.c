// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/devices/system/node/nodeN/cpumap and cpulist, with application CPUs.
 *
 * Linux shows a node's CPUs as far as it runs them. Programs look there for the node of
 * each CPU that they may use (numactl, libnuma, MPI, cyclictest), and some refuse to run
 * when one has none. Linux decided on the node of each CPU that it has a number for
 * when it started; so these two files are replaced by ones that say the same of CPUs
 * that are Linux's, and also name those that are ours.
 */
#include <linux/cpu.h>
#include <linux/device.h>
#include <linux/kernfs.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include "compat.h"
#include "platform.h"

#if defined(CONFIG_SMP) && defined(CONFIG_NUMA)

struct file_of_node {
	struct bin_attribute ours;
	struct bin_attribute *theirs;	/* NULL: not replaced */
};

static struct shown_node {
	struct kobject *kobj;
	struct file_of_node map, list;
} *shown;			/* one for each node number */

static void cpus_of(int node, struct cpumask *mask)
{
	unsigned int i, cpu;

	cpumask_and(mask, cpumask_of_node(node), cpu_online_mask);
	for (i = 0; i < apk_nr_cpus; i++) {
		cpu = apk_cpus[i].linux_cpu;
		if (acpu_taken(&apk_cpus[i]) && cpu < nr_cpu_ids && cpu_to_node(cpu) == node)
			cpumask_set_cpu(cpu, mask);
	}
}

static ssize_t show(APK_BIN_ATTRIBUTE *attr, bool list, char *buf, loff_t off, size_t count)
{
	cpumask_var_t mask;
	ssize_t n;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	cpus_of((long)attr->private, mask);
	n = list ? cpumap_print_list_to_buf(buf, mask, off, count) :
		   cpumap_print_bitmask_to_buf(buf, mask, off, count);
	free_cpumask_var(mask);
	return n;
}

static ssize_t show_map(struct file *file, struct kobject *kobj, APK_BIN_ATTRIBUTE *attr, char *buf,
			loff_t off, size_t count)
{
	return show(attr, false, buf, off, count);
}

static ssize_t show_list(struct file *file, struct kobject *kobj, APK_BIN_ATTRIBUTE *attr, char *buf,
			 loff_t off, size_t count)
{
	return show(attr, true, buf, off, count);
}

/* The kobject of a node: CPU directories have links to theirs, and all nodes are in one directory. */
static struct kobject *find_node(int node)
{
	struct device *cpu0 = get_cpu_device(0);
	struct kernfs_node *link, *dir = NULL;
	struct kobject *kobj = NULL;
	char name[16];

	snprintf(name, sizeof(name), "node%d", cpu_to_node(0));
	link = cpu0 ? kernfs_find_and_get(cpu0->kobj.sd, name) : NULL;
	if (!link)
		return NULL;
	if (kernfs_type(link) == KERNFS_LINK)
		kobj = link->symlink.target_kn->priv;
	if (kobj && kobj->parent) {
		snprintf(name, sizeof(name), "node%d", node);
		dir = kernfs_find_and_get(kobj->parent->sd, name);
	}
	kernfs_put(link);
	kobj = dir && kernfs_type(dir) == KERNFS_DIR ? kobject_get(dir->priv) : NULL;
	kernfs_put(dir);
	return kobj;
}

static int replace(struct kobject *kobj, int node, struct file_of_node *f, bool list)
{
	struct kernfs_node *kn = kernfs_find_and_get(kobj->sd, list ? "cpulist" : "cpumap");
	int err;

	if (!kn)
		return -ENOENT;
	f->theirs = kn->priv;
	kernfs_put(kn);
	f->ours = *f->theirs;
	f->ours.read = list ? show_list : show_map;
	f->ours.private = (void *)(long)node;
	sysfs_bin_attr_init(&f->ours);
	sysfs_remove_bin_file(kobj, f->theirs);
	err = sysfs_create_bin_file(kobj, &f->ours);
	if (err) {
		err = sysfs_create_bin_file(kobj, f->theirs) ?: err;
		f->theirs = NULL;
	}
	return err;
}

static void put_back(struct kobject *kobj, struct file_of_node *f)
{
	if (!f->theirs)
		return;
	sysfs_remove_bin_file(kobj, &f->ours);	/* waits for who reads it */
	if (sysfs_create_bin_file(kobj, f->theirs))
		pr_warn("%s of %s is gone\n", f->theirs->attr.name, kobject_name(kobj));
}

static int show_node(int node)
{
	struct shown_node *n = &shown[node];
	int err;

	n->kobj = find_node(node);
	if (!n->kobj)
		return -ENOENT;
	err = replace(n->kobj, node, &n->map, false);
	return err ?: replace(n->kobj, node, &n->list, true);
}

/* Without it programs are told that application CPUs belong to no node. */
int nodes_init(void)
{
	int node, err = 0;

	shown = kcalloc(nr_node_ids, sizeof(*shown), GFP_KERNEL);
	if (!shown)
		return -ENOMEM;
	for_each_online_node(node)
		err = show_node(node) ?: err;
	if (err)
		pr_warn("memory nodes do not show application CPUs (error %d)\n", err);
	return 0;
}

void nodes_exit(void)
{
	unsigned int node;

	for (node = 0; shown && node < nr_node_ids; node++) {
		if (!shown[node].kobj)
			continue;
		put_back(shown[node].kobj, &shown[node].map);
		put_back(shown[node].kobj, &shown[node].list);
		kobject_put(shown[node].kobj);
	}
	kfree(shown);
	shown = NULL;
}

#else /* one node */

int nodes_init(void)
{
	return 0;
}

void nodes_exit(void)
{
}

#endif
