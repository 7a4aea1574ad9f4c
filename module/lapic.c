// SPDX-License-Identifier: GPL-2.0
/*
 * Interprocessor interrupts to application CPUs, sent through the calling
 * CPU's local APIC in the mode the firmware or Linux left it in (Intel SDM
 * volume 3, section 11.6). Linux's own senders take Linux CPU numbers and
 * know nothing of CPUs that are not online.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <asm/apicdef.h>
#include <asm/processor.h>
#include "compat.h"
#include "platform.h"

#define X2APIC_MSR(reg)	(APIC_BASE_MSR + ((reg) >> 4))

static void __iomem *registers;	/* NULL in x2APIC mode */

int lapic_init(void)
{
	u64 base;

	rdmsrl(MSR_IA32_APICBASE, base);
	if (!(base & MSR_IA32_APICBASE_ENABLE)) {
		pr_err("the local APIC is switched off: boot without nolapic\n");
		return -EOPNOTSUPP;
	}
	if (base & X2APIC_ENABLE)
		return 0;
	registers = ioremap(base & MSR_IA32_APICBASE_BASE, PAGE_SIZE);
	return registers ? 0 : -ENOMEM;
}

void lapic_exit(void)
{
	if (registers)
		iounmap(registers);
	registers = NULL;
}

bool lapic_x2apic(void)
{
	return !registers;
}

static void wait_delivered(void)
{
	while (readl(registers + APIC_ICR) & APIC_ICR_BUSY)
		cpu_relax();
}

/*
 * Interrupts are off between the two halves of the command: a handler of
 * Linux's may send an interrupt of its own.
 */
void lapic_icr(u32 apicid, u32 low)
{
	unsigned long flags;

	if (!registers) {
		/* A write to x2APIC registers does not wait for earlier stores. */
		asm volatile("mfence; lfence" : : : "memory");
		wrmsrl(X2APIC_MSR(APIC_ICR), (u64)apicid << 32 | low);
		return;
	}
	local_irq_save(flags);
	wait_delivered();
	writel(SET_XAPIC_DEST_FIELD(apicid), registers + APIC_ICR2);
	writel(low, registers + APIC_ICR);
	wait_delivered();
	local_irq_restore(flags);
}

void lapic_ipi(u32 apicid, u32 vector)
{
	lapic_icr(apicid, APIC_DM_FIXED | APIC_DEST_PHYSICAL | APIC_INT_ASSERT | vector);
}
