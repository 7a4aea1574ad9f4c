// SPDX-License-Identifier: GPL-2.0
/*
 * apkern: ordinary programs on CPUs that Linux does not use.
 *
 * This file has the parameters and the order of things: each part is set up
 * after what it needs, and taken down in reverse. Nothing has changed when
 * loading fails.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <asm/alternative.h>
#include <asm/tsc.h>
#include "compat.h"
#include "platform.h"

struct apk_global *apk_global;
struct apk_home_stat *apk_home;

char *apk_param_cpus = "all";
module_param_named(cpus, apk_param_cpus, charp, 0444);
MODULE_PARM_DESC(cpus, "CPUs to take, by Linux's numbers (such as 2-3,6), those it runs included; all: every CPU it does not run (default); none: they are added later");

bool apk_param_inject;
module_param_named(inject, apk_param_inject, bool, 0444);
MODULE_PARM_DESC(inject, "1: failures of the application kernel may be injected, for tests (default 0)");

unsigned int apk_param_slots = APK_MAX_SLOTS;
module_param_named(slots, apk_param_slots, uint, 0444);
MODULE_PARM_DESC(slots, "how many threads may be away or waiting for a CPU at a time, 1 to 1024 (default 1024)");

unsigned int apk_param_user_slots;
module_param_named(user_slots, apk_param_user_slots, uint, 0644);
MODULE_PARM_DESC(user_slots, "how many of them the threads of one user may have, root's and those with CAP_SYS_RESOURCE excepted; 0: half (default)");

char *apk_param_idle = "auto";
module_param_named(idle, apk_param_idle, charp, 0444);
MODULE_PARM_DESC(idle, "how an idle application CPU sleeps: hlt, mwait, or auto: hlt under a hypervisor, mwait elsewhere (default)");

bool apk_param_allow_smt;
module_param_named(allow_smt, apk_param_allow_smt, bool, 0444);
MODULE_PARM_DESC(allow_smt, "1: take CPUs that share their core with one of Linux's, and second threads where SMT is switched off (default 0: whole cores, one thread there)");

unsigned long apk_param_inject_warp;
module_param_named(inject_warp, apk_param_inject_warp, ulong, 0444);
MODULE_PARM_DESC(inject_warp, "cycles by which application CPUs misread their time-stamp counter in the test at start, for tests (default 0)");

static bool allow_nolock;
module_param(allow_nolock, bool, 0444);
MODULE_PARM_DESC(allow_nolock, "1: load although LOCK prefixes are patched away; programs WILL lose updates of shared memory (default 0)");

bool apk_param_stay = true;
module_param_named(stay, apk_param_stay, bool, 0644);
MODULE_PARM_DESC(stay, "1: threads whose visits would cost more than they give stay home (default); 0: they always visit");

unsigned int apk_param_stay_ms = 10;
module_param_named(stay_ms, apk_param_stay_ms, uint, 0644);
MODULE_PARM_DESC(stay_ms, "how long a thread stays home at first whose visits did not pay, in milliseconds (default 10)");

unsigned int apk_param_loss = 10;
static int set_loss(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, 1000);
}

static const struct kernel_param_ops loss_ops = { .set = set_loss, .get = param_get_uint };
module_param_cb(loss, &loss_ops, &apk_param_loss, 0644);
MODULE_PARM_DESC(loss, "thousandths of its time that passages may cost a thread while nobody else could use its home CPU, 1 to 1000 (default 10)");

unsigned int apk_param_fault_around = 64;
module_param_named(fault_around, apk_param_fault_around, uint, 0644);
MODULE_PARM_DESC(fault_around, "how many pages of new anonymous memory a thread that touches them in order is served at a time, at the most; 0 or 1: only those it asks for (default 64)");

/*
 * A virtual CPU does nothing at all while its host runs something else; both
 * values are below the 20 seconds of the soft lockup detector, as home waits
 * with preemption off.
 */
#define PATIENCE_MS		2000
#define PATIENCE_VIRTUAL_MS	10000

static unsigned int param_patience_ms;

static int set_patience(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, 15000);
}

static const struct kernel_param_ops patience_ops = { .set = set_patience, .get = param_get_uint };

module_param_cb(patience_ms, &patience_ops, &param_patience_ms, 0644);
MODULE_PARM_DESC(patience_ms, "how long an application CPU may take to answer before it is stopped as dead, in milliseconds, up to 15000; 0: 2000, and 10000 under a hypervisor (default 0)");

u64 apk_deadline(void)
{
	unsigned int ms = READ_ONCE(param_patience_ms);

	if (!ms)
		ms = boot_cpu_has(X86_FEATURE_HYPERVISOR) ? PATIENCE_VIRTUAL_MS : PATIENCE_MS;
	return rdtsc_ordered() + (u64)ms * tsc_khz;
}

bool apk_param_cgroups;
module_param_named(cgroups, apk_param_cgroups, bool, 0644);
MODULE_PARM_DESC(cgroups, "1: threads in groups of the cpu controller visit, and their quota does not bind them away (default 0)");

bool apk_param_affinity = true;
module_param_named(affinity, apk_param_affinity, bool, 0644);
MODULE_PARM_DESC(affinity, "1: a thread visits only CPUs in its affinity mask (default); 0: the mask does not bind visits");

/*
 * The times that application CPUs read, in cycles. A write may come before
 * the global region exists or after it is gone: the core holds the parameter
 * lock around it, publish_times() and retract() hold it too.
 */
unsigned int apk_param_poll_us = 50;
unsigned int apk_param_slice_us = 4000;
static unsigned int wait_us = 200;

static void set_times(void)
{
	if (!apk_global)
		return;
	WRITE_ONCE(apk_global->poll_cycles, (u64)apk_param_poll_us * tsc_khz / 1000);
	WRITE_ONCE(apk_global->wait_cycles, (u64)wait_us * tsc_khz / 1000);
	WRITE_ONCE(apk_global->slice_cycles, (u64)apk_param_slice_us * tsc_khz / 1000);
}

static int set_poll(const char *val, const struct kernel_param *kp)
{
	int err = param_set_uint_minmax(val, kp, 0, 100000);

	if (!err)
		set_times();
	return err;
}

static int set_slice(const char *val, const struct kernel_param *kp)
{
	int err = param_set_uint_minmax(val, kp, 100, 10000000);

	if (!err)
		set_times();
	return err;
}

static const struct kernel_param_ops poll_ops = { .set = set_poll, .get = param_get_uint };
static const struct kernel_param_ops slice_ops = { .set = set_slice, .get = param_get_uint };

module_param_cb(poll_us, &poll_ops, &apk_param_poll_us, 0644);
MODULE_PARM_DESC(poll_us, "how long either side polls before it sleeps, in microseconds, 0 to 100000 (default 50)");
module_param_cb(wait_us, &poll_ops, &wait_us, 0644);
MODULE_PARM_DESC(wait_us, "how long a thread away that waits for a futex looks at it before it waits at home, in microseconds, 0 to 100000 (default 200)");
module_param_cb(slice_us, &slice_ops, &apk_param_slice_us, 0644);
MODULE_PARM_DESC(slice_us, "time slice when threads outnumber application CPUs, in microseconds, 100 to 10000000 (default 4000)");

/*
 * Whether the LOCK prefix below is still there. Linux patches it away at load,
 * as in all its own text, when it runs on one CPU; its read-modify-writes of
 * user memory and page tables then race with application CPUs. A kernel
 * without CONFIG_SMP never had any, and nolock.c deals with that.
 * Not in init text, which Linux does not patch.
 */
static noinline bool lock_patched_away(void)
{
#ifdef CONFIG_SMP
	const u8 *insn;
	int word = 0;

	asm volatile("lea 1f(%%rip), %0\n1:\t" LOCK_PREFIX "addl $0, %1"
		     : "=&r"(insn), "+m"(word));
	return *insn != 0xf0;
#else
	return false;
#endif
}

static int lock_check(void)
{
	if (!lock_patched_away())
		return 0;
	if (allow_nolock) {
		pr_warn("LOCK prefixes are patched away and allow_nolock=1: programs will lose updates of shared memory\n");
		return 0;
	}
	pr_err("this kernel runs on one CPU and has patched its LOCK prefixes away: boot with noreplace-smp\n");
	return -EOPNOTSUPP;
}

/* Parts that hold nothing have no exit. */
static void nothing(void)
{
}

static int region_init(void)
{
	int err = memory_init();

	if (err)
		return err;
	kernel_param_lock(THIS_MODULE);
	set_times();
	kernel_param_unlock(THIS_MODULE);
	return 0;
}

static void region_exit(void)
{
	kernel_param_lock(THIS_MODULE);
	memory_exit();
	kernel_param_unlock(THIS_MODULE);
}

/*
 * The doorbell wakes threads, so that those come before it; CPUs ring it, and
 * fail; and only when all is there can anybody ask for a visit.
 */
static const struct part {
	int (*init)(void);
	void (*exit)(void);
} parts[] = {
	{ lock_check,		nothing },
	{ config_check,		nothing },
	{ lapic_init,		lapic_exit },
	{ image_init,		image_exit },
	{ enumerate_init,	enumerate_exit },
	{ region_init,		region_exit },
	{ slot_init,		slot_exit },
	{ space_init,		space_exit },
	{ thread_init,		thread_exit },
	{ doorbell_init,	doorbell_exit },
	{ fail_init,		fail_exit },
	{ elastic_init,		elastic_exit },
	{ watch_init,		watch_exit },
	{ nolock_init,		nolock_exit },
	{ affinity_init,	affinity_exit },
	{ barrier_init,		barrier_exit },
	{ waits_init,		waits_exit },
	{ answers_init,		answers_exit },
	{ clocks_init,		clocks_exit },
	{ groups_init,		nothing },
	{ nodes_init,		nodes_exit },
	{ sysfs_init,		sysfs_exit },
	{ dev_init,		dev_exit },
};

static void take_down(unsigned int count)
{
	while (count--)
		parts[count].exit();
}

static int __init apkern_init(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (err) {
			take_down(i);
			return err;
		}
	}
	return 0;
}

static void __exit apkern_exit(void)
{
	take_down(ARRAY_SIZE(parts));
}

module_init(apkern_init);
module_exit(apkern_exit);

MODULE_DESCRIPTION("Runs threads of ordinary programs on CPUs that Linux does not use");
MODULE_LICENSE("GPL");
