// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU that Linux runs is asked itself, before it is taken, whether it is
 * like home's: microcode, memory types and features that a program or the
 * kernel could notice. They are compared, never written: changing memory types
 * with a live sibling thread is unsafe.
 */
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/cpufeatures.h>
#include <asm/msr.h>
#include <asm/mtrr.h>
#include <asm/processor.h>
#include "compat.h"
#include "platform.h"

static const struct { u32 msr; const char *name; } msrs[] = {
	{ MSR_IA32_UCODE_REV,		"microcode revision" },
	{ MSR_IA32_CR_PAT,		"IA32_PAT" },
	{ MSR_IA32_MISC_ENABLE,		"IA32_MISC_ENABLE" },
	{ MSR_IA32_FEAT_CTL,		"IA32_FEATURE_CONTROL" },
	{ MSR_IA32_ARCH_CAPABILITIES,	"IA32_ARCH_CAPABILITIES" },
	{ MSR_IA32_TSX_CTRL,		"IA32_TSX_CTRL" },
	{ MSR_AMD64_SYSCFG,		"SYSCFG" },
	{ MSR_AMD64_DE_CFG,		"DE_CFG" },
	{ MSR_K8_TOP_MEM1,		"TOP_MEM" },
	{ MSR_K8_TOP_MEM2,		"TOP_MEM2" },
	{ MSR_MTRRcap,			"MTRRcap" },
	{ MSR_MTRRdefType,		"MTRRdefType" },
	{ MSR_MTRRfix64K_00000,		"MTRRfix64K_00000" },
	{ MSR_MTRRfix16K_80000,		"MTRRfix16K_80000" },
	{ MSR_MTRRfix16K_A0000,		"MTRRfix16K_A0000" },
	{ MSR_MTRRfix4K_C0000,		"MTRRfix4K_C0000" },
	{ MSR_MTRRfix4K_C8000,		"MTRRfix4K_C8000" },
	{ MSR_MTRRfix4K_D0000,		"MTRRfix4K_D0000" },
	{ MSR_MTRRfix4K_D8000,		"MTRRfix4K_D8000" },
	{ MSR_MTRRfix4K_E0000,		"MTRRfix4K_E0000" },
	{ MSR_MTRRfix4K_E8000,		"MTRRfix4K_E8000" },
	{ MSR_MTRRfix4K_F0000,		"MTRRfix4K_F0000" },
	{ MSR_MTRRfix4K_F8000,		"MTRRfix4K_F8000" },
};

#define VARIABLE_MTRRS	16	/* base and mask of each */

/* CPUID leaves and the bits of EAX to EDX that must be equal. */
static const struct { u32 leaf, subleaf, mask[4]; } leaves[] = {
	{ 1,		0, { 0, 0, ~0u, ~0u } },
	{ 7,		0, { 0, ~0u, ~0u, ~0u } },
	{ 7,		1, { ~0u, 0, 0, 0 } },
	{ 0xd,		0, { ~0u, 0, 0, ~0u } },
	{ 0xd,		1, { ~0u, 0, 0, 0 } },
	{ 0x80000001,	0, { 0, 0, ~0u, ~0u } },
};

/* An MSR that a CPU does not have reads as zero. */
struct snapshot {
	u64 msr[ARRAY_SIZE(msrs)];
	u64 mtrr[2 * VARIABLE_MTRRS];
	u32 leaf[ARRAY_SIZE(leaves)][4];
};

static u64 read_msr(u32 msr)
{
	u64 value;

	return rdmsrl_safe(msr, &value) ? 0 : value;
}

/* Runs on the CPU in question, with interrupts off. */
static void take_snapshot(void *arg)
{
	struct snapshot *s = arg;
	unsigned int i;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL) {
		/* The revision is stored by CPUID; Intel SDM volume 3, section 10.11.7. */
		wrmsrl(MSR_IA32_UCODE_REV, 0);
		cpuid_eax(1);
	}
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		s->msr[i] = read_msr(msrs[i].msr);
	for (i = 0; i < ARRAY_SIZE(s->mtrr) && i < 2 * (read_msr(MSR_MTRRcap) & 0xff); i++)
		s->mtrr[i] = read_msr(MTRRphysBase_MSR(0) + i);
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		/* Beyond the highest leaf stands something else, perhaps the APIC id. */
		if (leaves[i].leaf > cpuid_eax(leaves[i].leaf & 0x80000000))
			continue;
		cpuid_count(leaves[i].leaf, leaves[i].subleaf,
			    &s->leaf[i][0], &s->leaf[i][1], &s->leaf[i][2], &s->leaf[i][3]);
	}
}

static int compare_msrs(unsigned int cpu, const struct snapshot *home, const struct snapshot *s)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (s->msr[i] == home->msr[i])
			continue;
		pr_err("CPU %u differs from home: %s is %#llx, there %#llx: do not take it\n",
		       cpu, msrs[i].name, home->msr[i], s->msr[i]);
		return -ENODEV;
	}
	for (i = 0; i < ARRAY_SIZE(s->mtrr); i++) {
		if (s->mtrr[i] == home->mtrr[i])
			continue;
		pr_err("CPU %u differs from home: MTRRphys%s%u is %#llx, there %#llx: do not take it\n",
		       cpu, i % 2 ? "Mask" : "Base", i / 2, home->mtrr[i], s->mtrr[i]);
		return -ENODEV;
	}
	return 0;
}

static int compare_leaves(unsigned int cpu, const struct snapshot *home, const struct snapshot *s)
{
	unsigned int i, r;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		for (r = 0; r < 4; r++) {
			if (!((s->leaf[i][r] ^ home->leaf[i][r]) & leaves[i].mask[r]))
				continue;
			pr_err("CPU %u differs from home: CPUID leaf %#x register E%cX is %#x, there %#x: do not take it\n",
			       cpu, leaves[i].leaf, "ABCD"[r], home->leaf[i][r], s->leaf[i][r]);
			return -ENODEV;
		}
	}
	return 0;
}

int compare_cpu(unsigned int linux_cpu)
{
	struct snapshot *both = kcalloc(2, sizeof(*both), GFP_KERNEL);
	int err;

	if (!both)
		return -ENOMEM;
	err = smp_call_function_single(0, take_snapshot, &both[0], 1);
	if (!err)
		err = smp_call_function_single(linux_cpu, take_snapshot, &both[1], 1);
	if (!err)
		err = compare_msrs(linux_cpu, &both[0], &both[1]);
	if (!err)
		err = compare_leaves(linux_cpu, &both[0], &both[1]);
	kfree(both);
	return err;
}
