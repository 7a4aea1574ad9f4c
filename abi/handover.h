/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hand-over between module and application kernel: every address and every
 * structure that both touch. docs/handover.md says who fills which field when.
 *
 * Rules that hold for all of it:
 *  - Fields shared between CPUs are accessed with literal lock prefixes,
 *    __atomic builtins or virt_*() barriers on the C side (a Linux booted on
 *    one CPU patches LOCK_PREFIX and smp_*() away) and with sync/atomic in Go.
 *  - The Go mirror is handover.go; abi_test.go compiles this header and
 *    compares every size, offset and constant.
 *  - "home" is the module, "CPU" the application kernel on that CPU.
 */
#ifndef APKERN_HANDOVER_H
#define APKERN_HANDOVER_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif
#include "answers.h"
#include "counters.h"

#define APK_HANDOVER_VERSION	1

#define APK_MAX_CPUS	256	/* application CPUs */
#define APK_MAX_SLOTS	1024	/* threads that can be ready or away at a time */
#define APK_CPU_WORDS	(APK_MAX_CPUS / 64)

/*
 * Addresses in an application CPU's own top-level table. The window lies at
 * the same address on every CPU and maps that CPU's own pages; one page of
 * window page table (512 entries) covers it. Whatever is not named is not
 * mapped: the holes around stacks are guard pages.
 */
#define APK_WINDOW	0xffffffff80000000	/* 2 MiB */
#define APK_WIN_PRIVATE	0x01000	/* 1 page RW: the application kernel's own, zero at start */
#define APK_WIN_STACK	0x04000	/* 2 pages RW: trap stack, top at ..._STACK_TOP */
#define APK_WIN_STACK_TOP 0x06000
#define APK_WIN_IST_DF	0x16000	/* 1 page RW: double fault, and the fatal path */
#define APK_WIN_IST_NMI	0x1a000	/* 1 page RW */
#define APK_WIN_IST_MC	0x1e000	/* 1 page RW */
#define APK_WIN_IST_DB	0x22000	/* 1 page RW */
#define APK_WIN_IST_SIZE 0x1000
#define APK_WIN_SLOT	0x30000	/* 2 pages RW, entries written by the CPU: the running thread's slot */
#define APK_WIN_SPACE	0x35000	/* 1 page RO, entry written by the CPU: struct apk_space */
#define APK_WIN_PT	0x37000	/* 1 page RW: the window's own page table */
#define APK_WIN_TOP	0x39000	/* 1 page RW: this CPU's user top-level table */
#define APK_WIN_CPU	0x3b000	/* 1 page RW: struct apk_cpu */
#define APK_WIN_STAT	0x3d000	/* 1 page RW: struct apk_stat */
#define APK_WIN_LOG	0x40000	/* 1 page RW: struct apk_log */
#define APK_WIN_GLOBAL	0x80000	/* RW: struct apk_global, 1 MiB at the most */
#define APK_WIN_GLOBAL_MAX 0x100000
#define APK_WIN_APIC	0x1ff000 /* 1 page RW, uncached: local APIC, xAPIC mode only */

#define APK_IMAGE	0xffffffff81000000	/* ELF image: text R-X, rodata R--, data RW-; one for all CPUs */
#define APK_IMAGE_MAX	0x400000
#define APK_LINES	0xffffffff81600000	/* R--: the line table that the post-link tool appends */
#define APK_LINES_MAX	0x200000

/* Interrupt vectors on application CPUs. Others are acknowledged and ignored. */
#define APK_VEC_WAKE	0xe0	/* look at the ready threads and your command */
#define APK_VEC_FLUSH	0xe1	/* flush_req went up */
#define APK_VEC_RECALL	0xe2	/* a head's recall was set */
#define APK_VEC_RESCHED	0xe3	/* somebody waits behind the running thread */
#define APK_VEC_TIMER	0xe4	/* the CPU's own time slice timer */
#define APK_VEC_SPURIOUS 0xff

/* What home and the CPUs must reckon alike: docs/scheduling.md. */
#define APK_WEIGHT_NICE0 1024
#define APK_CREDIT_SLICES 2	/* how far behind the level a thread may be that comes ready */
#define APK_YIELD_PART	4	/* part of a slice: who is further ahead of one that comes ready is interrupted */

#define APK_STALL_MS	4000	/* APK_CMD_STALL */

/* The embedded image: a header, then segments (file offsets from the header). */
#define APK_BLOB_MAGIC	0x314b504142ull	/* "BAPK1" */
#define APK_BLOB_SEGMENTS 8
#define APK_SEG_X	1
#define APK_SEG_W	2
#define APK_SEG_R	4

struct apk_segment {
	u64 va;			/* page aligned */
	u64 offset;		/* in the blob */
	u64 file_size;
	u64 mem_size;		/* the rest is zero */
	u64 flags;		/* APK_SEG_*; W and X together are refused */
};

struct apk_blob {
	u64 magic;
	u32 version;		/* APK_HANDOVER_VERSION */
	u32 segments;
	u64 entry;		/* where the trampoline jumps in long mode */
	u64 size;		/* of header and segments */
	u8 build_id[32];	/* SHA-256 of what follows the header */
	struct apk_segment segment[APK_BLOB_SEGMENTS];
};

/*
 * The line table at APK_LINES: header, entries sorted by pc, file name
 * offsets, file names. An entry holds for the pcs from its own up to the next;
 * line 0 marks a stretch that is no code of the application kernel.
 */
#define APK_LINES_MAGIC	0x454e494c	/* "LINE" */

struct apk_lines {
	u32 magic;
	u32 entries;
	u32 files;
	u32 names_size;
	/* struct apk_line line[entries]; u32 name_offset[files]; char names[names_size] (NUL-terminated) */
};

struct apk_line {
	u32 pc;			/* offset from APK_IMAGE */
	u16 file;
	u16 line;
};

/* General registers; vector, err and below are what a trap frame ends with. */
struct apk_regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, err;
	u64 rip, cs, rflags, rsp, ss;
};

/* Why a thread came home: slot.event. */
enum apk_event {
	APK_EV_NONE,
	APK_EV_SYSCALL,		/* rip at the syscall instruction */
	APK_EV_FAULT,		/* page fault on a user address: cr2, regs.err; may be served in place */
	APK_EV_EXCEPTION,	/* regs.vector; rip at the instruction, but after it for #DB (dr6) */
	APK_EV_RECALL,		/* Linux asked */
	APK_EV_RSEQ,		/* another thread ran, or the CPU changed, inside a restartable sequence */
	APK_EV_PREEMPT,		/* may not run on the CPU that took it */
	APK_EV_PARK,		/* the CPU is being given back */
	APK_EV_FATAL,		/* the application kernel failed; the registers are exact */
	APK_EV_TURN,		/* home withdrew it, ready, to run it for a turn */
};

/*
 * A slot: what a visiting thread carries. Two physically contiguous pages:
 * this structure, then from APK_SLOT_FPU the XSAVE area (standard format).
 * Home owns all of it in states HOME and EVENT, the CPU in state AWAY, nobody
 * writes in state READY.
 */
#define APK_SLOT_PAGES	2
#define APK_SLOT_FPU	0x1000
#define APK_SLOT_FPU_MAX 0x1000

struct apk_slot {
	struct apk_regs regs;
	u64 fsbase, gsbase;
	u32 ds, es, fs, gs;	/* selectors; home sends only threads with zeros and takes back what is there */
	u64 xmask;		/* XSAVE/XRSTOR mask */
	u64 cr2;		/* of APK_EV_FAULT and of vector 14 */
	u64 dr6;		/* of vector 1 */
	u64 space_phys;		/* page that holds struct apk_space */
	u64 space_id;		/* never 0, never used twice */
	u64 rseq;		/* user address of struct rseq, 0: none registered */
	u32 rseq_cpu;		/* number that stands in rseq->cpu_id now */
	u32 event;		/* enum apk_event */
	u64 cycles;		/* TSC cycles away in user mode, all visits; the CPU adds on leaving */
	u64 owner;		/* tag of the owner's credentials: another tag means a barrier (IBPB) between */
	u64 spec_ctrl;		/* IA32_SPEC_CTRL while the thread runs, if the CPU has it */
	u32 pid;		/* for the log */
	u32 pad;
	char comm[16];
	u32 tgid, tid;		/* as the thread's own pid namespace has them: what getpid() and gettid() say */
};

/* An address space as home shows it: a copy of the user half of mm->pgd. */
#define APK_TOP_USER	256	/* entries of the user half */
#define APK_FUTEX_BUCKETS 128

struct apk_space {
	u64 top[APK_TOP_USER];	/* NX cleared; written by home under its lock */
	u64 id;
	u64 generation;		/* goes up after top[] changed; the CPU copies afresh when it differs */
	u64 held;		/* home: while not 0, no CPU touches user memory in this space (see apk_global.held) */
	/*
	 * Home: how many threads of the process may be doing anything at home, and how many
	 * wait there, or may, for private futexes, by (address / 4) % APK_FUTEX_BUCKETS. A CPU
	 * answers a wake where both are 0. See module/waits.c.
	 */
	u64 unknown;
	u32 waiting[APK_FUTEX_BUCKETS];
};

/* What states a slot's head can be in. Bits 8..31 of head.state hold the CPU index in AWAY. */
enum apk_state {
	APK_HOME,		/* home owns the thread */
	APK_READY,		/* waits, with its bit in global.ready; READY -> AWAY by a CPU, READY -> HOME by home, both by compare-and-swap */
	APK_AWAY,		/* runs on a CPU, which alone leaves this state: -> EVENT or, time slice over, -> READY */
	APK_EVENT,		/* back with home: slot.event. -> HOME, or -> READY when a fault was served */
};
#define APK_STATE_MASK	0xff
#define APK_STATE_CPU_SHIFT 8

/* The public part of a slot, two cache lines, in the global region. */
struct apk_head {
	u32 state;
	u32 recall;		/* home sets it, then looks at state and interrupts; home clears it in state HOME or EVENT */
	u32 sleeping;		/* home: ring the bell when you post an event */
	u32 last;		/* CPU index it last ran on, written by the CPU */
	u64 phys;		/* of the slot; constant while the slot exists */
	u64 since;		/* TSC when it last began to run; 0 while it does not. For home's accounting */
	u64 cpus[APK_CPU_WORDS]; /* CPU indexes it may run on */
	u64 vruntime;		/* what it has run: TSC cycles, times 1024, by weight. Written by who owns the slot */
	u64 queued;		/* TSC when it became ready, written before that */
	u32 weight;		/* Linux's for its priority, 1024 for nice 0. Home may change it any time */
	u32 fresh;		/* home: it has no past, vruntime means nothing. The CPU that first runs it clears it */
	u32 answers;		/* bits 1 << APK_A_*: calls that the CPU may answer. Home may clear them any time */
	u32 pad[9];
};

/*
 * What a CPU is doing: cpuhead.state, written by the CPU. Home writes DOWN and FAILED when it has
 * stopped it; who wakes it for a thread makes HALT POLL, by compare-and-swap.
 */
enum apk_cpustate {
	APK_CPU_DOWN,		/* not started, or stopped by INIT */
	APK_CPU_POLL,		/* nothing to run, looks for a ready thread */
	APK_CPU_HALT,		/* nothing to run, sleeps: needs APK_VEC_WAKE (or a write to wake under MWAIT) */
	APK_CPU_RUN,		/* runs a thread */
	APK_CPU_PARKED,		/* obeyed APK_CMD_PARK: no address space loaded, interrupts off, halted */
	APK_CPU_FAILED,		/* the application kernel failed there: apk_cpu.fatal says how */
};

enum apk_command {
	APK_CMD_NONE,
	APK_CMD_PARK,		/* send the thread home (APK_EV_PARK), unload, stop */
	APK_CMD_CRASH_BOUNDS,	/* the rest: injected failures, only sent when the module parameter inject is set */
	APK_CMD_CRASH_POINTER,
	APK_CMD_CRASH_STACK,
	APK_CMD_HANG,		/* stop answering, interrupts off */
	APK_CMD_STALL,		/* stop answering for APK_STALL_MS, as a virtual CPU whose host has no time for it */
};

struct apk_cpuhead {
	/* written by home */
	u32 command;		/* enum apk_command, followed by APK_VEC_WAKE */
	u32 apicid;
	u64 flush_req;		/* goes up by one a request (lock xadd), followed by APK_VEC_FLUSH */
	u32 wake;		/* written (any change) to wake a CPU that idles by MWAIT */
	u32 linux_cpu;		/* Linux's number: rseq, TSC_AUX, GDT entry 15 */
	u32 pad0[10];
	/* written by the CPU */
	u32 state;		/* enum apk_cpustate */
	u32 slot;		/* index + 1 of the running slot, 0: none */
	u64 space;		/* id of the loaded address space, 0: none */
	u64 flush_ack;		/* the flush_req seen before a complete flush */
	u32 ticking;		/* a time slice is running */
	u32 pad1[9];
};

/* Mapped by home and all application CPUs. */
struct apk_global {
	u32 version;		/* APK_HANDOVER_VERSION */
	u32 cpus;
	u32 bell_apicid;	/* where the doorbell goes: home may change both any time */
	u32 bell_vector;
	u64 bell[APK_MAX_SLOTS / 64]; /* bit: that slot's bootstrap thread is to be woken; CPU sets (lock or), home takes (xchg) */
	u64 tsc_khz;
	u64 poll_cycles;	/* how long an idle CPU polls before it unloads and sleeps; home may change it any time */
	u64 slice_cycles;	/* time slice, in TSC cycles; home may change it any time */
	/*
	 * Holds in force, on a Linux without LOCK prefixes. Home raises the number,
	 * then flushes: a CPU that acknowledged touches no user memory until the
	 * number, and that of its space, is 0.
	 */
	u64 held;
	u64 level;		/* the highest level of a CPU: see docs/scheduling.md; CPUs raise it by compare-and-swap */
	u32 words;		/* of ready, how many can hold a bit: home raises it before a slot is first used */
	u32 wait_cycles;	/* how long a thread away looks for a futex to change before it waits at home; home may change it any time */
	/*
	 * Bit: that slot may be READY. Who makes it ready sets the bit first, who takes it out
	 * of READY clears it afterwards; both locked.
	 */
	u64 ready[APK_MAX_SLOTS / 64];
	struct apk_head head[APK_MAX_SLOTS];
	struct apk_cpuhead cpu[APK_MAX_CPUS];
};

/* Features home found and wants mirrored: apk_cpu.features. */
#define APK_F_X2APIC	(1 << 0)
#define APK_F_LA57	(1 << 1)
#define APK_F_MWAIT	(1 << 2)	/* idle by MWAIT */
#define APK_F_TSC_AUX	(1 << 3)	/* RDTSCP or RDPID: write TSC_AUX */
#define APK_F_SPEC_CTRL	(1 << 4)	/* load slot.spec_ctrl when it differs */
#define APK_F_IBPB	(1 << 5)	/* barrier between owners */
#define APK_F_VERW	(1 << 6)	/* clear buffers on the way to user mode */
#define APK_F_TSC_ADJUST (1 << 7)	/* write tsc_adjust */
#define APK_F_MCA	(1 << 8)	/* machine check architecture: MCG_STATUS exists */
#define APK_F_XFD	(1 << 9)	/* write xfd */

/* The warp test of the time-stamp counter, run by both sides at once at start. */
struct apk_warp {
	u32 phase;		/* 0; 1: home is ready; 2: CPU loops; 3: CPU is done */
	u32 lock;		/* xchg spin lock around last */
	u64 last;		/* the latest reading of either side */
	u64 cycles;		/* how long to loop */
	u64 cpu_warp;		/* largest step backwards that the CPU saw */
	u64 cpu_skew;		/* fault injection: the CPU adds it to its readings */
};

struct apk_fatal {
	u32 kind;		/* enum apk_fatal_kind */
	u32 line;
	u64 vector, err, rip, rsp, cr2;
	char file[64];
	char text[64];
};

enum apk_fatal_kind {
	APK_FATAL_NONE,
	APK_FATAL_TRAP,		/* an exception in ring 0 */
	APK_FATAL_PANIC,	/* a bounds check, division, nil map, explicit panic */
	APK_FATAL_STACK,	/* morestack: the stack is used up */
	APK_FATAL_DOUBLE,	/* double fault */
	APK_FATAL_CHECK,	/* machine check that cannot be survived */
};

/* One CPU's configuration, filled by home before the start; one page. */
struct apk_cpu {
	u32 index;		/* in global.cpu[] */
	u32 linux_cpu;
	u32 apicid;
	u32 features;		/* APK_F_* */
	u64 idle_top;		/* CR3 with no address space loaded */
	u64 user_top;		/* CR3 with one: the table at APK_WIN_TOP */
	u64 cr4;		/* bits to set besides PAE, MCE and LA57, which the trampoline set */
	u64 efer;		/* complete value */
	u64 pat;
	u64 xcr0;
	u64 xfd;
	u64 tsc_adjust;
	u64 spec_ctrl;		/* while no thread runs */
	u64 apic_base;		/* complete value of MSR 0x1b but for the BSP bit */
	struct apk_warp warp;
	/* written by the CPU */
	u32 alive;		/* 1: set up, runs idle; home waits for it */
	u32 found_apicid;	/* as its local APIC says */
	u32 found_microcode;	/* revision */
	u32 pad0;
	struct apk_fatal fatal;
};

/* Calls that the CPU may answer, and their numbers. */
enum apk_answer {
#define X(name, number, text, rule, condition, source) APK_A_##name,
	APK_ANSWERS(X)
#undef X
	APK_ANSWER_COUNT
};

enum apk_answer_number {
#define X(name, number, text, rule, condition, source) APK_NR_##name = (number),
	APK_ANSWERS(X)
#undef X
};

/* Counters of one CPU, mapped read-only to user space. */
enum apk_cpu_counter {
#define X(name, text, meaning) APK_C_##name,
	APK_CPU_COUNTERS(X)
#undef X
	APK_CPU_COUNTER_COUNT
};

struct apk_stat {
	u64 count[APK_CPU_COUNTER_COUNT];
};

/* Counters of the home side, mapped read-only to user space. */
enum apk_home_counter {
#define X(name, text, meaning) APK_H_##name,
	APK_HOME_COUNTERS(X)
#undef X
	APK_HOME_COUNTER_COUNT
};

enum apk_decline {
#define X(name, text, meaning) APK_D_##name,
	APK_DECLINES(X)
#undef X
	APK_DECLINE_COUNT
};

struct apk_home_stat {
	u64 count[APK_HOME_COUNTER_COUNT];
	u64 decline[APK_DECLINE_COUNT];
};

/*
 * The log of one CPU: a ring of fixed records, overwritten when full. The
 * writer sets seq to 0, fills the record, then sets seq to its number (from 1).
 */
#define APK_LOG_RECORDS	31
#define APK_LOG_TEXT	104

enum apk_log_level { APK_LOG_INFO, APK_LOG_WARN, APK_LOG_FATAL };

struct apk_log_record {
	u64 seq;
	u64 tsc;
	u32 level;
	u32 pad;
	char text[APK_LOG_TEXT];	/* NUL-terminated */
};

struct apk_log {
	u64 next;		/* number of the next record */
	u64 pad[15];
	struct apk_log_record record[APK_LOG_RECORDS];
};

#endif
