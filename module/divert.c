// SPDX-License-Identifier: GPL-2.0
/* Diversions of calls: see divert.h. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include "core.h"
#include "divert.h"

/* Calls in progress, counted before the first instruction of the replacement. */
static atomic_t in_progress = ATOMIC_INIT(0);

unsigned long divert_nowhere(DIVERT_ARGS)
{
	return -ENOSYS;
}

/* At the first instruction. Returning 1 goes on at regs->ip. */
int divert_handler(struct kprobe *p, struct pt_regs *regs)
{
	struct diversion *d = container_of(p, struct diversion, probe);
	unsigned long caller = *(unsigned long *)regs->sp;

	if (within_module(caller, THIS_MODULE))
		return 0;
	atomic_inc(&in_progress);
	regs->ip = (unsigned long)d->instead;
	return 1;
}
NOKPROBE_SYMBOL(divert_handler);

/* With one, kprobes does not replace the breakpoint by a jump, which could not divert. */
void divert_after(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(divert_after);

void divert_done(void)
{
	atomic_dec(&in_progress);
}

int divert_begin(struct diversion *d, unsigned int count, const char *what)
{
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		/*
		 * Disabled first, since the function's address is known only then,
		 * and its first diverted call may come at once.
		 */
		d[i].probe.flags = KPROBE_FLAG_DISABLED;
		err = register_kprobe(&d[i].probe);
		if (!err) {
			__static_call_update(d[i].key, d[i].tramp, d[i].probe.addr);
			err = enable_kprobe(&d[i].probe);
			if (!err)
				continue;
			unregister_kprobe(&d[i].probe);
		}
		pr_err("%s: %s() of this kernel cannot be diverted (error %d): build it with CONFIG_KPROBES and CONFIG_KALLSYMS\n",
		       what, d[i].probe.symbol_name, err);
		divert_end(d, i);
		return -EOPNOTSUPP;
	}
	return 0;
}

void divert_end(struct diversion *d, unsigned int count)
{
	while (count--)
		unregister_kprobe(&d[count].probe);
	while (atomic_read(&in_progress))
		msleep(20);
#ifdef CONFIG_TASKS_RCU
	synchronize_rcu_tasks();	/* the last one may stand before its return */
#endif
}
