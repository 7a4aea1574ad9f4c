/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: perf and trace-cmd see visits, homecomings, faults and flushes. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM apkern

#if !defined(APKERN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define APKERN_TRACE_H

#include <linux/tracepoint.h>

/* A thread becomes ready; cpu is the application CPU that is expected to take it (Linux's number). */
TRACE_EVENT(apkern_visit,
	TP_PROTO(unsigned int slot, unsigned int cpu, u64 ip),
	TP_ARGS(slot, cpu, ip),
	TP_STRUCT__entry(
		__field(unsigned int, slot)
		__field(unsigned int, cpu)
		__field(u64, ip)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->cpu = cpu;
		__entry->ip = ip;
	),
	TP_printk("slot=%u cpu=%u ip=0x%llx", __entry->slot, __entry->cpu, __entry->ip)
);

/* It came home: event as in handover.h, cycles of user mode away since the visit began. */
TRACE_EVENT(apkern_home,
	TP_PROTO(unsigned int slot, u32 event, u64 vector, u64 ip, u64 cycles),
	TP_ARGS(slot, event, vector, ip, cycles),
	TP_STRUCT__entry(
		__field(unsigned int, slot)
		__field(u32, event)
		__field(u64, vector)
		__field(u64, ip)
		__field(u64, cycles)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->event = event;
		__entry->vector = vector;
		__entry->ip = ip;
		__entry->cycles = cycles;
	),
	TP_printk("slot=%u event=%s vector=%llu ip=0x%llx cycles=%llu", __entry->slot,
		  __print_symbolic(__entry->event,
				   { 1, "syscall" }, { 2, "fault" }, { 3, "exception" },
				   { 4, "recall" }, { 5, "rseq" }, { 6, "preempt" },
				   { 7, "park" }, { 8, "fatal" }, { 9, "turn" }),
		  __entry->vector, __entry->ip, __entry->cycles)
);

/* A page fault of an application CPU, and whether it was served without going home. */
TRACE_EVENT(apkern_fault,
	TP_PROTO(unsigned int slot, u64 address, u64 ip, u64 error, bool served),
	TP_ARGS(slot, address, ip, error, served),
	TP_STRUCT__entry(
		__field(unsigned int, slot)
		__field(u64, address)
		__field(u64, ip)
		__field(u64, error)
		__field(bool, served)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->address = address;
		__entry->ip = ip;
		__entry->error = error;
		__entry->served = served;
	),
	TP_printk("slot=%u address=0x%llx ip=0x%llx error=0x%llx served=%d", __entry->slot,
		  __entry->address, __entry->ip, __entry->error, __entry->served)
);

/*
 * policy.c has decided. crowd: somebody else could use the home CPU. TSC cycles: for
 * wait and leave how long the thread computes between calls and how long it must to
 * leave, for stay the time of the last visit and what it cost.
 */
TRACE_EVENT(apkern_policy,
	TP_PROTO(pid_t pid, u32 decision, bool crowd, u64 has, u64 needs),
	TP_ARGS(pid, decision, crowd, has, needs),
	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, decision)
		__field(bool, crowd)
		__field(u64, has)
		__field(u64, needs)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->decision = decision;
		__entry->crowd = crowd;
		__entry->has = has;
		__entry->needs = needs;
	),
	TP_printk("pid=%d %s crowd=%d has=%llu needs=%llu", __entry->pid,
		  __print_symbolic(__entry->decision,
				   { 0, "wait" }, { 1, "leave" }, { 2, "stay" }, { 3, "begin" }),
		  __entry->crowd, __entry->has, __entry->needs)
);

/* Linux invalidated translations; cpus is how many application CPUs were flushed for it. */
TRACE_EVENT(apkern_flush,
	TP_PROTO(u64 space, unsigned long start, unsigned long end, unsigned int cpus),
	TP_ARGS(space, start, end, cpus),
	TP_STRUCT__entry(
		__field(u64, space)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(unsigned int, cpus)
	),
	TP_fast_assign(
		__entry->space = space;
		__entry->start = start;
		__entry->end = end;
		__entry->cpus = cpus;
	),
	TP_printk("space=%llu start=0x%lx end=0x%lx cpus=%u", __entry->space, __entry->start,
		  __entry->end, __entry->cpus)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
