/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the platform half (CPUs, memory, image, interrupts) offer
 * each other beyond core.h. Process context unless said.
 */
#ifndef APKERN_PLATFORM_H
#define APKERN_PLATFORM_H

#include "core.h"

/* Entries of application CPUs' page tables; Intel SDM volume 3, section 4.5. */
#define PT_PRESENT	BIT_ULL(0)
#define PT_WRITE	BIT_ULL(1)
#define PT_UNCACHED	(BIT_ULL(3) | BIT_ULL(4))	/* PWT and PCD */
#define PT_USED		(BIT_ULL(5) | BIT_ULL(6))	/* accessed and dirty, so that no CPU has to write them */
#define PT_GLOBAL	BIT_ULL(8)
#define PT_NX		BIT_ULL(63)
#define PT_TABLE	(PT_PRESENT | PT_WRITE | PT_USED)	/* an entry that points to a table */
#define PT_ENTRIES	512

/* A CPU of the firmware's table that could become ours. */
struct candidate {
	u32 apicid;
	unsigned int linux_cpu;
	bool named;		/* by cpus=: a reason against it is an error, otherwise it is left out */
};

/* enumerate.c: which CPUs there are and which of them cpus= means. */
int enumerate_init(void);	/* fills the list and marks its CPUs as held; errors are explained in the log */
void enumerate_exit(void);
unsigned int enumerate_count(void);
const struct candidate *enumerate_get(unsigned int i);
unsigned int enumerate_core(u32 apicid);	/* a number of the core, unique in the machine; any context */
unsigned int enumerate_package(u32 apicid);
void enumerate_release(unsigned int linux_cpu);	/* not held any more: Linux may bring it up */

/* start.c: one CPU from INIT to its idle loop. */
int start_init(void);		/* finds the trampoline page */
int start_cpu(struct acpu *a);	/* a->cfg complete; on an error the CPU is back in INIT and the log says why */
void start_stop(struct acpu *a);	/* INIT; any context */

/* config.c: what home's CPU has and an application CPU mirrors. */
int config_check(void);		/* -EOPNOTSUPP with the reason when home lacks something apkern needs */
void config_fill(struct acpu *a);	/* all of a->cfg that home decides, but the tables of memory.c */

/* compare.c: a CPU that Linux runs beside the calling one. */
int compare_cpu(unsigned int linux_cpu);	/* -ENODEV: they differ, and the log says in what */

/* warp.c: home's side of the time-stamp counter test. */
void warp_prepare(struct apk_warp *w);	/* before the CPU is started */
int warp_test(struct acpu *a);	/* after; -ENODEV: the counters differ, -ETIMEDOUT: no answer */

/* trampoline.S and blob.S: bytes to be copied, not called. */
extern const u8 apk_trampoline[], apk_trampoline_data[], apk_trampoline_end[];
extern const u8 apk_blob_start[], apk_blob_end[];

/* image.c */
void image_map(u64 *pmd);	/* writes the entries for APK_IMAGE and APK_LINES into a third-level table */
const u8 *image_build_id(void);	/* 32 bytes */

/* topology.c: a CPU's place in the machine, for programs. While Linux does not run the CPU. */
void topology_show(struct acpu *a);
void topology_hide(struct acpu *a);

/* slot.c */
int slot_init(void);
void slot_exit(void);

/* acpu.c */
int acpu_park(struct acpu *a);	/* its threads go home, it stops; -ETIMEDOUT: it did not answer */

/* watch.c: finds CPUs that hang while idle. */
int watch_init(void);
void watch_exit(void);

/* main.c: parameters that only the platform half looks at. */
extern char *apk_param_idle;		/* idle= */
extern bool apk_param_allow_smt;	/* allow_smt= */
extern unsigned long apk_param_inject_warp;	/* inject_warp= */

/* Literal bus-locked operations: LOCK_PREFIX may be patched away. */
static inline u32 apk_xchg32(u32 *p, u32 v)
{
	return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

static inline u64 apk_xchg64(u64 *p, u64 v)
{
	return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

#endif
