/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/apkern: the interface to user space.
 *
 * Every structure begins with its size and the interface version; a size the
 * module does not know, another version, a flag or a reserved field that is
 * not zero: EINVAL. An unknown request: ENOTTY. Mode 0660, root and group
 * apkern.
 *
 * mmap: read-only (EPERM for a writable mapping), shared, pages in this order, where
 * i is the file index of the CPU in /sys/kernel/apkern (EINVAL: it never was one):
 *   page 0                       struct apk_home_stat
 *   page 1 + 2 * i               struct apk_stat of application CPU i
 *   page 2 + 2 * i               struct apk_log of application CPU i
 */
#ifndef APKERN_H
#define APKERN_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define APKERN_VERSION	2
#define APKERN_DEVICE	"/dev/apkern"
#define APKERN_CPU_WORDS 4
#define APKERN_MAP_CPU	1	/* pages of the mapping: the first of application CPU 0 */
#define APKERN_MAP_CPU_PAGES 2	/* struct apk_stat, struct apk_log */

/* ADOPT and ADOPT_EXEC. cpus: Linux CPU numbers it may use, none set: all. Children inherit it. */
struct apkern_adopt {
	__u32 size;
	__u32 version;
	__u64 flags;			/* 0 */
	__u64 cpus[APKERN_CPU_WORDS];	/* EINVAL: names a CPU that is not an application CPU */
};

struct apkern_info {
	__u32 size;
	__u32 version;
	__u32 cpus;			/* application CPUs, failed ones included */
	__u32 cpus_up;
	__u32 threads;			/* adopted threads */
	__u32 slots_used;
	__u64 tsc_khz;
};

/* Fault injection: EPERM unless the module was loaded with inject=1. */
struct apkern_inject {
	__u32 size;
	__u32 version;
	__u32 cpu;			/* Linux number */
	__u32 command;			/* APK_CMD_CRASH_BOUNDS and following, in handover.h */
};

#define APKERN_IOC		'k'
/* Adopts the calling thread: from here on it may visit. Again: no effect but the new cpus. */
#define APKERN_IOC_ADOPT	_IOW(APKERN_IOC, 1, struct apkern_adopt)
/* Adopts the calling thread when it next executes a program. */
#define APKERN_IOC_ADOPT_EXEC	_IOW(APKERN_IOC, 2, struct apkern_adopt)
#define APKERN_IOC_INFO		_IOWR(APKERN_IOC, 3, struct apkern_info)
#define APKERN_IOC_INJECT	_IOW(APKERN_IOC, 4, struct apkern_inject)

#endif
