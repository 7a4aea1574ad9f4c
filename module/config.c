// SPDX-License-Identifier: GPL-2.0
/*
 * What home's CPU has switched on and an application CPU mirrors, so that a
 * program sees the same machine on both sides.
 */
#include <linux/cc_platform.h>
#include <linux/cpu.h>
#include <linux/pgtable.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include "compat.h"
#include "platform.h"

/* What of CR4 user mode or the application kernel can notice. */
#define CR4_MIRRORED (X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE | \
		      X86_CR4_FSGSBASE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_UMIP | \
		      X86_CR4_PKE | X86_CR4_PGE)
#define EFER_MIRRORED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)

static bool idle_by_mwait(void)
{
	if (!strcmp(apk_param_idle, "mwait"))
		return true;
	return !strcmp(apk_param_idle, "auto") && boot_cpu_has(X86_FEATURE_MWAIT) &&
	       !boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

static int check_idle(void)
{
	if (strcmp(apk_param_idle, "auto") && strcmp(apk_param_idle, "hlt") &&
	    strcmp(apk_param_idle, "mwait")) {
		pr_err("idle=%s: give auto, hlt or mwait\n", apk_param_idle);
		return -EINVAL;
	}
	if (idle_by_mwait() && !boot_cpu_has(X86_FEATURE_MWAIT)) {
		pr_err("idle=mwait: this CPU has no MWAIT; give auto or hlt\n");
		return -EINVAL;
	}
	return 0;
}

/*
 * The standard format's size of all state that a visiting thread may have: Intel SDM
 * volume 1, section 13.2. Whoever uses dynamic state stays home.
 */
static u32 xsave_size(void)
{
	u64 features = xgetbv(XCR_XFEATURE_ENABLED_MASK) & ~(u64)XFEATURE_MASK_USER_DYNAMIC;
	u32 size = FXSAVE_SIZE + XSAVE_HDR_SIZE, bytes, offset, flags, unused;
	unsigned int i;

	for (i = FIRST_EXTENDED_XFEATURE; i < 63; i++) {
		if (!(features >> i & 1))
			continue;
		cpuid_count(XSTATE_CPUID, i, &bytes, &offset, &flags, &unused);
		size = max(size, offset + bytes);
	}
	return size;
}

/* Why apkern cannot work on this machine; NULL: it can. */
static const char *platform_fault(void)
{
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		return "a confidential guest (SEV, TDX) may not start CPUs by hand: not supported";
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return "memory encryption is on: boot with mem_encrypt=off";
	if (boot_cpu_has(X86_FEATURE_XENPV))
		return "a Xen PV guest has no CPUs of its own: not supported";
	if (!boot_cpu_has(X86_FEATURE_APIC))
		return "there is no local APIC: boot without nolapic";
	if (!boot_cpu_has(X86_FEATURE_NX))
		return "the processor has no NX bit, or it is off: boot without noexec=off";
	if (!(__read_cr4() & X86_CR4_FSGSBASE))
		return "the processor has no FSGSBASE, or it is off: boot without nofsgsbase";
	if (!(__read_cr4() & X86_CR4_OSXSAVE))
		return "Linux does not use XSAVE: boot without noxsave, on a processor whose XSAVE it accepts";
	if (xsave_size() > APK_SLOT_FPU_MAX)
		return "the processor has more extended state than a slot holds: not supported";
	if (!boot_cpu_has(X86_FEATURE_TSC))
		return "there is no time-stamp counter: boot without notsc";
	return NULL;
}

int config_check(void)
{
	const char *fault = platform_fault();

	if (fault) {
		pr_err("%s\n", fault);
		return -EOPNOTSUPP;
	}
	return check_idle();
}

static u32 features(void)
{
	u32 f = 0;

	f |= lapic_x2apic() ? APK_F_X2APIC : 0;
	f |= pgtable_l5_enabled() ? APK_F_LA57 : 0;
	f |= idle_by_mwait() ? APK_F_MWAIT : 0;
	f |= boot_cpu_has(X86_FEATURE_RDTSCP) ? APK_F_TSC_AUX : 0;
	f |= boot_cpu_has(X86_FEATURE_RDPID) ? APK_F_TSC_AUX : 0;
	f |= boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL) ? APK_F_SPEC_CTRL : 0;
	f |= boot_cpu_has(X86_FEATURE_IBPB) && !cpu_mitigations_off() ? APK_F_IBPB : 0;
	f |= APK_VERW_FEATURE() ? APK_F_VERW : 0;
	f |= boot_cpu_has(X86_FEATURE_TSC_ADJUST) ? APK_F_TSC_ADJUST : 0;
	f |= boot_cpu_has(X86_FEATURE_MCA) ? APK_F_MCA : 0;
	f |= boot_cpu_has(X86_FEATURE_XFD) ? APK_F_XFD : 0;
	return f;
}

/* SSBD is a thread's own wish and comes with its slot. */
static u64 spec_ctrl(void)
{
	u64 value;

	rdmsrl(MSR_IA32_SPEC_CTRL, value);
	return value & ~(u64)SPEC_CTRL_SSBD;
}

static void fill_msrs(struct apk_cpu *c)
{
	rdmsrl(MSR_EFER, c->efer);
	c->efer &= EFER_MIRRORED;
	rdmsrl(MSR_IA32_CR_PAT, c->pat);
	rdmsrl(MSR_IA32_APICBASE, c->apic_base);
	c->apic_base &= ~(u64)MSR_IA32_APICBASE_BSP;
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		c->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	/* A thread that uses dynamic state stays home, so that it is always blocked. */
	if (c->features & APK_F_XFD)
		c->xfd = c->xcr0 & XFEATURE_MASK_USER_DYNAMIC;
	if (c->features & APK_F_SPEC_CTRL)
		c->spec_ctrl = spec_ctrl();
	if (c->features & APK_F_TSC_ADJUST)
		rdmsrl(MSR_IA32_TSC_ADJUST, c->tsc_adjust);
}

/* One CPU's registers are read: preemption off, or they could be of two. */
void config_fill(struct acpu *a)
{
	struct apk_cpu *c = a->cfg;

	c->index = a->index;
	c->linux_cpu = a->linux_cpu;
	c->apicid = a->apicid;
	c->features = features();
	preempt_disable();
	c->cr4 = __read_cr4() & CR4_MIRRORED;
	fill_msrs(c);
	preempt_enable();
}
