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

/* A CPU of the firmware's table that can become ours. */
struct candidate {
	u32 apicid;
	unsigned int linux_cpu;
	bool chosen;		/* cpus= means it */
	bool named;		/* and by its number: a reason against it is an error, otherwise it is left out */
};

/*
 * enumerate.c: which CPUs there are and which of them cpus= means. Errors are
 * explained in the log. The last four are called by elastic.c, under its lock.
 */
int enumerate_init(void);	/* fills the list and marks as held what cpus= means */
void enumerate_exit(void);
unsigned int enumerate_count(void);
const struct candidate *enumerate_get(unsigned int i);
unsigned int enumerate_core(u32 apicid);	/* a number of the core, unique in the machine; any context */
unsigned int enumerate_package(u32 apicid);
bool enumerate_hold(unsigned int linux_cpu);	/* Linux may not bring it up from now on; does it run it? */
void enumerate_release(unsigned int linux_cpu);	/* not held any more: Linux may bring it up */
/* The CPUs that a list names, a bitmap of *size bits that holds until the next call; what says whose list. */
const unsigned long *enumerate_parse(const char *what, const char *list, unsigned int *size, int *err);
void enumerate_choose(unsigned int linux_cpu, bool on);	/* it is, or is not, to be ours */
bool enumerate_whole_cores(void);	/* what is to be ours may be: whole cores, or allow_smt=1 */

/* start.c: one CPU from INIT to its idle loop. */
int start_init(void);		/* finds the trampoline page */
int start_cpu(struct acpu *a);	/* a->cfg complete; on an error the CPU is back in INIT and the log says why */
void start_stop(struct acpu *a);	/* INIT, of a CPU that is ours; any context */

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

/* nodes.c: memory nodes' lists of CPUs name application CPUs, too. */
int nodes_init(void);
void nodes_exit(void);

/* slot.c */
int slot_init(void);
void slot_exit(void);

/*
 * acpu.c: one CPU. Called by elastic.c, under its lock. Errors are explained in the log.
 * acpu_drain() makes threads stay away from it, and says whether they do.
 */
void acpu_init(struct acpu *a, unsigned int index, const struct candidate *c);
int acpu_start(struct acpu *a);		/* ABSENT -> UP; on an error everything about it is as before */
int acpu_drain(struct acpu *a);		/* UP -> LEAVING; -ETIMEDOUT, -EINTR: it is UP again */
int acpu_restart(struct acpu *a);	/* LEAVING -> UP, afresh; on an error it is UP and failed */
void acpu_leave(struct acpu *a);	/* LEAVING -> ABSENT: stops it and gives it back */
void acpu_halt(struct acpu *a);		/* stops it for good; nothing else changes */

/* fail.c: nothing runs on it, and nothing will. Process context. */
void acpu_dead(struct acpu *a, const char *why);

/* sysfs.c: a CPU's directory, while it is ours. */
int sysfs_show_cpu(struct acpu *a);
void sysfs_hide_cpu(struct acpu *a);

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
