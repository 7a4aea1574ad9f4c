// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPUs there are, which of them are ours or are to be, and keeping Linux
 * from bringing up one of those. The firmware's table names every CPU, also on
 * kernels that use one CPU or know only one. Every CPU but the boot CPU can
 * become ours while the module is loaded.
 */
#include <linux/acpi.h>
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/processor.h>
#include <asm/smp.h>
#include "compat.h"
#include "platform.h"

#define NUMBERS		16384	/* Linux CPU numbers that cpus= may name */
#define XAPIC_LAST	254	/* the last id that interrupts reach in xAPIC mode */

/* One CPU of the MADT. */
struct entry {
	u32 apicid;
	unsigned int linux_cpu;
	bool chosen;		/* it is ours, or is to be */
};

static struct entry *entries;
static unsigned int nr_entries;
static struct candidate *candidates;	/* those to take at load first */
static unsigned int nr_candidates;
static bool refusing;		/* refuse_online() is registered */

/* CPUs that Linux must not bring up; changed in cpus_read_lock() or for a CPU that is down. */
static DECLARE_BITMAP(held, NUMBERS);
static DECLARE_BITMAP(named, NUMBERS);	/* what a list names */
static bool all;			/* cpus= names none, but means every CPU that Linux does not run */

unsigned int enumerate_count(void)
{
	return nr_candidates;
}

const struct candidate *enumerate_get(unsigned int i)
{
	return &candidates[i];
}

static bool linux_has(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_online(cpu);
}

void enumerate_release(unsigned int linux_cpu)
{
	clear_bit(linux_cpu, held);
}

bool enumerate_hold(unsigned int linux_cpu)
{
	bool online;

	cpus_read_lock();
	set_bit(linux_cpu, held);
	online = linux_has(linux_cpu);
	cpus_read_unlock();
	return online;
}

static int refuse_online(unsigned int cpu)
{
	if (!test_bit(cpu, held))
		return 0;
	pr_warn("CPU %u is an application CPU: apkern cpu remove %u gives it back to Linux\n", cpu, cpu);
	return -EBUSY;
}

/* Linux's number of a CPU, or a number above all of Linux's when it has none. */
static unsigned int number_of(u32 apicid, unsigned int *next)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (per_cpu(x86_cpu_to_apicid, cpu) == apicid)
			return cpu;
	return (*next)++;
}

static bool known(u32 apicid)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++)
		if (entries[i].apicid == apicid)
			return true;
	return false;
}

/* Adds one entry of the table; the same CPU may stand there in both formats. */
static int add_entry(const struct acpi_subtable_header *h, unsigned int *next)
{
	const struct acpi_madt_local_x2apic *x2apic = (const void *)h;
	const struct acpi_madt_local_apic *apic = (const void *)h;
	u32 id, flags;

	switch (h->type) {
	case ACPI_MADT_TYPE_LOCAL_APIC:
		id = apic->id;
		flags = apic->lapic_flags;
		break;
	case ACPI_MADT_TYPE_LOCAL_X2APIC:
		id = x2apic->local_apic_id;
		flags = x2apic->lapic_flags;
		break;
	case ACPI_MADT_TYPE_MULTIPROC_WAKEUP:
		pr_err("the firmware starts CPUs through a mailbox (confidential guest): not supported\n");
		return -EOPNOTSUPP;
	default:
		return 0;
	}
	if (!(flags & ACPI_MADT_ENABLED) || known(id) || (!lapic_x2apic() && id > XAPIC_LAST))
		return 0;
	entries[nr_entries++] = (struct entry){ .apicid = id, .linux_cpu = number_of(id, next) };
	return 0;
}

static int read_table(const struct acpi_table_header *madt)
{
	const void *end = (const void *)madt + madt->length;
	const void *p = (const void *)madt + sizeof(struct acpi_table_madt);
	unsigned int next = nr_cpu_ids;
	int err = 0;

	/* No entry is shorter than its header: more than enough. */
	entries = kcalloc(madt->length / sizeof(struct acpi_subtable_header) + 1,
			  sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	while (!err && p + sizeof(struct acpi_subtable_header) <= end) {
		const struct acpi_subtable_header *h = p;

		if (h->length < sizeof(*h) || p + h->length > end)
			break;
		err = add_entry(h, &next);
		p += h->length;
	}
	return err;
}

static int read_madt(void)
{
	struct acpi_table_header *madt;
	int err;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_MADT, 0, &madt))) {
		pr_err("the firmware has no table of its CPUs (ACPI MADT): not supported\n");
		return -EOPNOTSUPP;
	}
	err = read_table(madt);
	acpi_put_table(madt);
	return err;
}

static struct entry *by_number(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++)
		if (entries[i].linux_cpu == cpu)
			return &entries[i];
	return NULL;
}

/* Reads a list of CPUs that can be ours into named. What says whose list it is. */
static int parse_list(const char *what, const char *list)
{
	int err = bitmap_parselist(list, named, NUMBERS);
	unsigned int cpu;

	if (err == -ERANGE) {
		pr_err("%s%s names a CPU that does not exist\n", what, list);
		return -ENXIO;
	}
	if (err || bitmap_empty(named, NUMBERS)) {
		pr_err("%s%s: give a list of CPUs such as 2-3,6\n", what, list);
		return -EINVAL;
	}
	for_each_set_bit(cpu, named, NUMBERS) {
		if (!cpu) {
			pr_err("%s%s names CPU 0, the boot CPU, which stays with Linux\n", what, list);
			return -EPERM;
		}
		if (!by_number(cpu)) {
			pr_err("%s%s names CPU %u, which does not exist\n", what, list, cpu);
			return -ENXIO;
		}
	}
	return 0;
}

static int parse_cpus(void)
{
	all = !strcmp(apk_param_cpus, "all");
	bitmap_zero(named, NUMBERS);
	if (all || !strcmp(apk_param_cpus, "none"))
		return 0;
	return parse_list("cpus=", apk_param_cpus);
}

const unsigned long *enumerate_parse(const char *what, const char *list, unsigned int *size, int *err)
{
	*err = parse_list(what, list);
	*size = NUMBERS;
	return named;
}

static void choose(void)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++) {
		struct entry *e = &entries[i];

		e->chosen = e->linux_cpu &&
			    (all ? !linux_has(e->linux_cpu) : test_bit(e->linux_cpu, named));
	}
}

/* How many low bits of an APIC id number what is inside a package (CPUID leaf 0xb, or 1). */
static unsigned int package_bits(void)
{
	u32 eax, ebx, ecx, edx, level, bits = 0;

	if (boot_cpu_data.cpuid_level >= 0xb) {
		for (level = 0; level < 8; level++) {
			cpuid_count(0xb, level, &eax, &ebx, &ecx, &edx);
			if (!ebx)
				break;
			bits = eax & 0x1f;
		}
		if (level)
			return bits;
	}
	return boot_cpu_has(X86_FEATURE_HT) ? order_base_2(max(cpuid_ebx(1) >> 16 & 0xff, 1U)) : 0;
}

/* How many low bits of an APIC id number a core's threads (CPUID leaf 0xb, 0x8000001e or 4). */
static unsigned int thread_bits(void)
{
	u32 eax, ebx, ecx, edx, threads = 1;

	if (boot_cpu_data.cpuid_level >= 0xb) {
		cpuid_count(0xb, 0, &eax, &ebx, &ecx, &edx);
		if (ebx)	/* level type 1: threads; a processor without any begins with cores */
			return (ecx >> 8 & 0xff) == 1 ? eax & 0x1f : 0;
	}
	if (boot_cpu_data.extended_cpuid_level >= 0x8000001e && boot_cpu_has(X86_FEATURE_TOPOEXT)) {
		threads = (cpuid_ebx(0x8000001e) >> 8 & 0xff) + 1;
	} else if (boot_cpu_has(X86_FEATURE_HT) && boot_cpu_data.cpuid_level >= 4) {
		cpuid_count(4, 0, &eax, &ebx, &ecx, &edx);
		threads = (cpuid_ebx(1) >> 16 & 0xff) / ((eax >> 26) + 1);
	}
	return threads > 1 ? order_base_2(threads) : 0;
}

unsigned int enumerate_core(u32 apicid)
{
	return apicid >> thread_bits();
}

unsigned int enumerate_package(u32 apicid)
{
	return apicid >> package_bits();
}

struct smt_look {
	struct work_struct work;
	struct completion done;
	bool off;
};

static void look_at_smt(struct work_struct *work)
{
	struct smt_look *look = container_of(work, struct smt_look, work);
	char state[8] = "";
	struct file *f = filp_open("/sys/devices/system/cpu/smt/control", O_RDONLY, 0);
	loff_t pos = 0;

	if (IS_ERR(f)) {
		look->off = !cpu_smt_possible();
	} else {
		kernel_read(f, state, sizeof(state) - 1, &pos);
		filp_close(f, NULL);
		look->off = !strncmp(state, "off", 3) || !strncmp(state, "force", 5);
	}
	complete(&look->done);
}

/*
 * Is SMT switched off by policy (nosmt, mitigations=auto,nosmt, or in sysfs)? Modules
 * are only told whether it may ever be switched on, which a processor without SMT
 * denies too; sysfs knows the rest. Another thread reads it: who is about to write one of
 * sysfs' files must not read another, by lockdep's rules. Not for who holds CPUs in place.
 */
static bool smt_off(void)
{
	struct smt_look look = { .off = false };

	if (!IS_ENABLED(CONFIG_HOTPLUG_SMT))
		return false;
	init_completion(&look.done);
	INIT_WORK_ONSTACK(&look.work, look_at_smt);
	queue_work(system_unbound_wq, &look.work);
	wait_for_completion(&look.done);
	destroy_work_on_stack(&look.work);
	return look.off;
}

/* Why a chosen CPU's core siblings speak against it; NULL: they do not. */
static const char *sibling_fault(const struct entry *e, unsigned int bits, bool off)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++) {
		const struct entry *s = &entries[i];

		if (s == e || s->apicid >> bits != e->apicid >> bits)
			continue;
		if (!s->chosen && (!off || linux_has(s->linux_cpu)))
			return "shares its core with one of Linux's CPUs";
		if (off && e->apicid & (BIT(bits) - 1))
			return "is the second thread of a core, and SMT is switched off by policy";
	}
	return NULL;
}

/* What runs on one thread of a core can be sampled from the other. False: the CPU must not be ours. */
static bool check_siblings(const struct entry *e, unsigned int bits, bool off)
{
	const char *fault = sibling_fault(e, bits, off);

	if (!fault)
		return true;
	if (apk_param_allow_smt) {
		pr_warn("CPU %u %s: what runs there can be sampled\n", e->linux_cpu, fault);
		return true;
	}
	pr_err("CPU %u %s: name whole cores, or load with allow_smt=1\n", e->linux_cpu, fault);
	return false;
}

/* Of "all" a CPU is left out that must not be ours; one that cpus= names is an error. */
static int check_chosen(bool off)
{
	DECLARE_BITMAP(out, APK_MAX_CPUS) = {};
	unsigned int bits = thread_bits(), i;

	for (i = 0; i < nr_candidates; i++) {
		if (!candidates[i].chosen ||
		    check_siblings(by_number(candidates[i].linux_cpu), bits, off))
			continue;
		if (candidates[i].named)
			return -EINVAL;
		__set_bit(i, out);
	}
	for_each_set_bit(i, out, nr_candidates) {
		by_number(candidates[i].linux_cpu)->chosen = false;
		candidates[i].chosen = false;
	}
	return 0;
}

static void list_candidates(bool chosen)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++) {
		struct entry *e = &entries[i];

		if (!e->linux_cpu || e->chosen != chosen)
			continue;
		if (nr_candidates == APK_MAX_CPUS) {
			if (chosen)
				pr_warn("only the first %d CPUs are taken\n", APK_MAX_CPUS);
			return;
		}
		candidates[nr_candidates++] = (struct candidate){
			.apicid = e->apicid, .linux_cpu = e->linux_cpu,
			.chosen = chosen, .named = chosen && !all,
		};
	}
}

static int pick(bool off)
{
	int err = parse_cpus();
	unsigned int i, n = 0;

	if (err)
		return err;
	choose();
	candidates = kcalloc(APK_MAX_CPUS, sizeof(*candidates), GFP_KERNEL);
	if (!candidates)
		return -ENOMEM;
	list_candidates(true);
	list_candidates(false);
	err = check_chosen(off);
	if (err)
		return err;
	for (i = 0; i < nr_candidates; i++) {
		if (!candidates[i].chosen)
			continue;
		set_bit(candidates[i].linux_cpu, held);
		n++;
	}
	if (all && !n) {
		pr_err("no CPU to take: Linux runs them all; name some in cpus= (such as cpus=1-3), load with cpus=none and take them later, or boot with maxcpus=1 noreplace-smp\n");
		return -ENODEV;
	}
	return 0;
}

void enumerate_choose(unsigned int linux_cpu, bool on)
{
	by_number(linux_cpu)->chosen = on;
}

bool enumerate_whole_cores(void)
{
	unsigned int bits = thread_bits(), i;
	bool off = smt_off();

	for (i = 0; i < nr_entries; i++)
		if (entries[i].chosen && !check_siblings(&entries[i], bits, off))
			return false;
	return true;
}

int enumerate_init(void)
{
	int err = read_madt();

	if (!err) {
		err = cpuhp_setup_state_nocalls(APK_HOTPLUG_FIRST, "apkern:held", refuse_online, NULL);
		refusing = !err;
	}
	if (!err) {
		/* Before: reading files takes locks that others hold who wait for this one. */
		bool off = smt_off();

		/* No CPU comes up between the look at it and the mark. */
		cpus_read_lock();
		err = pick(off);
		cpus_read_unlock();
	}
	if (err)
		enumerate_exit();
	return err;
}

void enumerate_exit(void)
{
	bitmap_zero(held, NUMBERS);
	if (refusing)
		cpuhp_remove_state_nocalls(APK_HOTPLUG_FIRST);
	kfree(candidates);
	kfree(entries);
	refusing = false;
	candidates = NULL;
	entries = NULL;
	nr_candidates = 0;
	nr_entries = 0;
}
