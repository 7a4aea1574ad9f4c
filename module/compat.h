/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place for differences between kernel versions and configurations.
 * Everything else in the module is written for Linux 6.12's names, and asks
 * for no version.
 */
#ifndef APKERN_COMPAT_H
#define APKERN_COMPAT_H

#include <linux/version.h>
#include <linux/cpu.h>
#include <asm/cpufeatures.h>
#include <asm/msr.h>

/* 6.3 moved asm_load_gs_index() out of special_insns.h. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <asm/gsseg.h>
#else
#include <asm/special_insns.h>
#endif

/* 6.16 renamed the 64-bit MSR helpers. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define rdmsrl		rdmsrq
#define rdmsrl_safe	rdmsrq_safe
#define wrmsrl		wrmsrq
#endif

/*
 * Whether Linux clears CPU buffers on the way to user mode. A kernel without
 * this feature bit (before 6.9, and 6.1 before 6.1.82) decides by a static key
 * that modules do not see; the erratum itself is the safe answer there.
 */
#ifdef X86_FEATURE_CLEAR_CPU_BUF
#define APK_VERW_FEATURE()	boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF)
#else
#define APK_VERW_FEATURE()	(boot_cpu_has_bug(X86_BUG_MDS) && !cpu_mitigations_off())
#endif

/* 6.6 gave the notifier of secondary TLBs its own name; before, it came with invalidate_range. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define APK_INVALIDATE	arch_invalidate_secondary_tlbs
#else
#define APK_INVALIDATE	invalidate_range
#endif

/*
 * A kernel without SMP changes page table entries without LOCK: CPUs are held
 * during a range of changes. From 6.6 on the notifier of secondary TLBs must not
 * come together with those of ranges.
 */
#ifndef CONFIG_SMP
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#error "kernels without CONFIG_SMP are supported up to 6.5, see docs/uniprocessor.md"
#endif
#define APK_HOLD_RANGES
#endif

/*
 * The first step of bringing up a CPU at which a module can be asked and refuse:
 * one of another architecture's, unused here. Those that are given out to modules
 * come later than Linux's own showing of the CPU's topology, whose place ours takes.
 */
#define APK_HOTPLUG_FIRST	CPUHP_PERF_SUPERH

/* 6.3 added concurrency ids (mm_cid) to the rseq area. */
#define APK_RSEQ_HAS_CID	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0))
#if APK_RSEQ_HAS_CID
#define apk_rseq_clear_ids(area) (put_user(0U, &(area)->node_id) || put_user(0U, &(area)->mm_cid))
#else
#define apk_rseq_clear_ids(area) false
#endif

/* 6.16 added an argument to sched_process_exit. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define APK_EXIT_PROBE_MORE	, bool group_dead
#else
#define APK_EXIT_PROBE_MORE
#endif

/* The extended state a task may use; 6.16 moved it behind an accessor. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define apk_user_xfeatures()	(x86_task_fpu(current)->fpstate->user_xfeatures)
#else
#define apk_user_xfeatures()	(current->thread.fpu.fpstate->user_xfeatures)
#endif

/* State whose area grows on first use (AMX): such a thread stays home. */
#define APK_XFEATURES_HOME	XFEATURE_MASK_USER_DYNAMIC

/* 6.2 replaced the two perf contexts of a task, [0] and [1], by one. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define APK_PERF_CONTEXTS	1
#define apk_perf_context(task, i)	READ_ONCE((task)->perf_event_ctxp)
#else
#define APK_PERF_CONTEXTS	2
#define apk_perf_context(task, i)	READ_ONCE((task)->perf_event_ctxp[i])
#endif

/* What class->devnode and user space see of a mapping's flags; 6.3 made them read-only. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define apk_vm_flags_change(vma, set, clear)	vm_flags_mod(vma, set, clear)
#else
#define apk_vm_flags_change(vma, set, clear)	((vma)->vm_flags = ((vma)->vm_flags | (set)) & ~(clear))
#endif

/* What reads a binary file of sysfs gets a constant since 6.16. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define APK_BIN_ATTRIBUTE	const struct bin_attribute
#else
#define APK_BIN_ATTRIBUTE	struct bin_attribute
#endif

#endif
