// SPDX-License-Identifier: GPL-2.0
/*
 * Application CPUs that fail, and Linux itself going down: what is done so
 * that neither takes the other along.
 */
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>
#include "compat.h"
#include "platform.h"

/*
 * How long an INIT may take to stop a CPU: it is taken at the next instruction
 * boundary, but under a hypervisor only when the virtual CPU runs.
 */
#define INIT_US	1000

/*
 * The threads of a failed CPU are woken from an interrupt of our own, since
 * acpu_fail() may be called with the locks held that waking needs.
 */
static void wake_threads(struct irq_work *work)
{
	thread_wake_all();
}

static struct irq_work wake_work = IRQ_WORK_INIT_HARD(wake_threads);

/* Whoever waits for a flush by this CPU, now or later, has it. */
static void settle(struct acpu *a)
{
	WRITE_ONCE(a->head->state, APK_CPU_FAILED);
	WRITE_ONCE(a->head->space, 0);
	apk_xchg64(&a->head->flush_ack, U64_MAX);
}

/* What settle() wrote is there for whoever sees the CPU as failed. */
static void end(struct acpu *a)
{
	virt_store_release(&a->failed, true);
	acpu_changed(a);
}

/*
 * failed is set only when the CPU has stopped: until then its thread may still
 * run and its translations be used. A second caller waits for that, so that
 * the first must not be interrupted by one. Returns whether this was the first.
 */
static bool stop_once(struct acpu *a, const char *why)
{
	unsigned long flags;
	bool first;

	local_irq_save(flags);
	first = !__atomic_exchange_n(&a->failing, true, __ATOMIC_SEQ_CST);
	if (first) {
		if (READ_ONCE(a->started))
			start_stop(a);
		udelay(INIT_US);
		settle(a);
		WRITE_ONCE(a->why, why);
		end(a);
	}
	local_irq_restore(flags);
	return first;
}

void acpu_fail(struct acpu *a, const char *why)
{
	if (!stop_once(a, why)) {
		while (!READ_ONCE(a->failed))
			cpu_relax();
		return;
	}
	pr_err("CPU %u is stopped: %s; a thread it was running is killed; apkern cpu reset %u starts the CPU again\n",
	       a->linux_cpu, why, a->linux_cpu);
	irq_work_queue(&wake_work);
}

void acpu_dead(struct acpu *a, const char *why)
{
	a->failing = true;
	settle(a);
	WRITE_ONCE(a->why, why);
	end(a);
}

static const char *const kinds[] = {
	[APK_FATAL_NONE]	= "no reason given",
	[APK_FATAL_TRAP]	= "an exception in the application kernel",
	[APK_FATAL_PANIC]	= "a run-time check",
	[APK_FATAL_STACK]	= "out of stack",
	[APK_FATAL_DOUBLE]	= "double fault",
	[APK_FATAL_CHECK]	= "machine check",
};

/*
 * The CPU has stopped by itself, with its address space unloaded. It is not
 * put into INIT, which would clear CR4.MCE: a broadcast machine check would
 * then shut the machine down.
 */
void acpu_report(struct acpu *a)
{
	const struct apk_fatal *f = &a->cfg->fatal;
	u32 kind = f->kind < ARRAY_SIZE(kinds) ? f->kind : APK_FATAL_NONE;

	if (__atomic_exchange_n(&a->failing, true, __ATOMIC_SEQ_CST))
		return;
	settle(a);
	end(a);
	pr_err("CPU %u: the application kernel failed (%s) at %.64s:%u: %.64s\n",
	       a->linux_cpu, kinds[kind], f->file, f->line, f->text);
	pr_err("CPU %u: vector %llu error %#llx rip %#llx rsp %#llx cr2 %#llx; its thread goes on at home; apkern cpu reset %u starts the CPU again\n",
	       a->linux_cpu, f->vector, f->err, f->rip, f->rsp, f->cr2, a->linux_cpu);
	irq_work_queue(&wake_work);
}

/* Nothing may be waited for, and nobody is left to be told. A CPU that is not ours is Linux's. */
static void stop_all(void)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++) {
		if (READ_ONCE(apk_cpus[i].started))
			start_stop(&apk_cpus[i]);
		settle(&apk_cpus[i]);
		end(&apk_cpus[i]);
	}
}

static int on_panic(struct notifier_block *nb, unsigned long event, void *arg)
{
	stop_all();
	return NOTIFY_DONE;
}

/*
 * A kernel that was loaded to dump the crashed one is entered before the panic
 * notifiers are called. Linux stops its own CPUs in this function.
 */
static int on_crash(struct kprobe *p, struct pt_regs *regs)
{
	stop_all();
	return 0;
}
NOKPROBE_SYMBOL(on_crash);

static struct kprobe crash_probe = {
	.symbol_name = "machine_crash_shutdown",
	.pre_handler = on_crash,
};
static bool crash_probed;

/* Firmware, or the kernel that kexec starts, finds the CPUs as after power-on. */
static int on_reboot(struct notifier_block *nb, unsigned long event, void *arg)
{
	elastic_shutdown();
	return NOTIFY_DONE;
}

/*
 * Linux cannot save and restore the state of a CPU it does not run. When none is
 * ours it may suspend, and none becomes ours before it is back.
 */
static int on_suspend(struct notifier_block *nb, unsigned long event, void *arg)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		if (elastic_suspend())
			return NOTIFY_DONE;
		pr_warn("application CPUs are in use: give them back by apkern cpu remove before suspending\n");
		return NOTIFY_BAD;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		elastic_resume();
	}
	return NOTIFY_DONE;
}

static struct notifier_block panic_notifier = { .notifier_call = on_panic };
static struct notifier_block reboot_notifier = { .notifier_call = on_reboot };
static struct notifier_block suspend_notifier = { .notifier_call = on_suspend };

int fail_init(void)
{
	int err = register_pm_notifier(&suspend_notifier);

	if (err)
		return err;
	err = register_reboot_notifier(&reboot_notifier);
	if (err) {
		unregister_pm_notifier(&suspend_notifier);
		return err;
	}
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier);
	crash_probed = !register_kprobe(&crash_probe);	/* a Linux that cannot load such a kernel has no such function */
	return 0;
}

void fail_exit(void)
{
	if (crash_probed)
		unregister_kprobe(&crash_probe);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier);
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&suspend_notifier);
	irq_work_sync(&wake_work);
}
