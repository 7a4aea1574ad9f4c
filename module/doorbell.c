// SPDX-License-Identifier: GPL-2.0
/*
 * The doorbell: a vector of Linux's own vector domain, allocated as a device's
 * would be, that application CPUs send as a fixed interprocessor interrupt.
 * Linux sees an ordinary edge interrupt: /proc/interrupts counts it and
 * /proc/irq/N/smp_affinity moves it.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/smp.h>
#include "compat.h"
#include "platform.h"

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;
static int virq;

/*
 * Tells application CPUs where the bell is now, in one store, as they read it.
 * The destination in irqd_cfg() is a logical id in some APIC modes, so that
 * the physical one is looked up.
 */
static void publish(struct irq_data *data)
{
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));
	union {
		u32 word[2];	/* bell_apicid, bell_vector */
		u64 both;
	} bell = { { per_cpu(x86_cpu_to_apicid, cpu), irqd_cfg(data)->vector } };

	BUILD_BUG_ON(offsetof(struct apk_global, bell_vector) !=
		     offsetof(struct apk_global, bell_apicid) + sizeof(u32));
	WRITE_ONCE(*(u64 *)&apk_global->bell_apicid, bell.both);
}

static int doorbell_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	int ret = irq_chip_set_affinity_parent(data, mask, force);

	if (ret >= 0)
		publish(data);
	return ret;
}

/* There is no source that could be masked: who rings is asked to by head.sleeping. */
static void doorbell_mask(struct irq_data *data)
{
}

static struct irq_chip doorbell_chip = {
	.name			= "apkern",
	.irq_ack		= irq_chip_ack_parent,
	.irq_mask		= doorbell_mask,
	.irq_unmask		= doorbell_mask,
	.irq_set_affinity	= doorbell_set_affinity,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

static int doorbell_alloc(struct irq_domain *d, unsigned int first, unsigned int count, void *arg)
{
	int err = irq_domain_alloc_irqs_parent(d, first, count, arg);

	if (err)
		return err;
	irq_domain_set_info(d, first, 0, &doorbell_chip, NULL, handle_edge_irq, NULL, "edge");
	return 0;
}

static const struct irq_domain_ops doorbell_ops = {
	.alloc	= doorbell_alloc,
	.free	= irq_domain_free_irqs_common,
};

static void report_failures(void)
{
	unsigned int i;

	for (i = 0; i < apk_nr_cpus; i++) {
		struct acpu *a = &apk_cpus[i];

		if (!READ_ONCE(a->failed) && READ_ONCE(a->head->state) == APK_CPU_FAILED)
			acpu_report(a);
	}
}

static irqreturn_t doorbell_handler(int irq, void *cookie)
{
	unsigned int word, bit;

	apk_count(APK_H_DOORBELL);
	for (word = 0; word < ARRAY_SIZE(apk_global->bell); word++) {
		unsigned long bits;

		if (!READ_ONCE(apk_global->bell[word]))
			continue;
		bits = apk_xchg64(&apk_global->bell[word], 0);
		for_each_set_bit(bit, &bits, 64)
			thread_wake(word * 64 + bit);
	}
	report_failures();
	return IRQ_HANDLED;
}

static int allocate(void)
{
	struct irq_alloc_info info = {
		/* The boot CPU always stays with Linux. */
		.mask = cpumask_of(0),
	};

	fwnode = irq_domain_alloc_named_fwnode("apkern");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode, &doorbell_ops, NULL);
	if (!domain)
		return -ENOMEM;
	virq = __irq_domain_alloc_irqs(domain, -1, 1, NUMA_NO_NODE, &info, false, NULL);
	return virq < 0 ? virq : 0;
}

int doorbell_init(void)
{
	int err = allocate();

	if (!err)
		err = request_irq(virq, doorbell_handler, IRQF_NO_THREAD, "apkern", &virq);
	if (err) {
		pr_err("no interrupt vector for the doorbell (error %d)\n", err);
		if (virq > 0)
			irq_dispose_mapping(virq);
		virq = 0;
		doorbell_exit();
		return err;
	}
	publish(irq_get_irq_data(virq));
	return 0;
}

void doorbell_exit(void)
{
	if (virq > 0) {
		free_irq(virq, &virq);
		irq_dispose_mapping(virq);
	}
	if (domain)
		irq_domain_remove(domain);
	if (fwnode)
		irq_domain_free_fwnode(fwnode);
	virq = 0;
	domain = NULL;
	fwnode = NULL;
}
