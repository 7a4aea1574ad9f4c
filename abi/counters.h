/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every counter apkern keeps, once: X(name, text, meaning).
 *
 * `go generate ./abi` turns the lists into abi/counters_gen.go; sysfs file
 * names, `apkern stat` and the documentation use the same texts. A list is
 * append-only within a hand-over version.
 */
#ifndef APKERN_COUNTERS_H
#define APKERN_COUNTERS_H

/* Kept by the application kernel, for each application CPU. */
#define APK_CPU_COUNTERS(X)						\
	X(RUN, "run", "threads put on the CPU")				\
	X(STOLEN, "stolen", "of these, threads that last ran on another CPU") \
	X(SYSCALL, "syscall", "homecomings for a system call")		\
	X(FAULT, "fault", "page faults sent home to be served")		\
	X(EXCEPTION, "exception", "homecomings for another exception")	\
	X(RECALL, "recall", "homecomings because Linux asked")		\
	X(RSEQ, "rseq", "homecomings to abort a restartable sequence")	\
	X(PREEMPT, "preempt", "time slices that ended with others waiting") \
	X(LOAD, "load", "address spaces loaded")			\
	X(UNLOAD, "unload", "address spaces unloaded")			\
	X(FLUSH, "flush", "translations flushed on request")		\
	X(HALT, "halt", "times the CPU went to sleep")			\
	X(BELL, "bell", "doorbell interrupts sent to Linux")		\
	X(IRQ_WAKE, "irq_wake", "wake-up interrupts taken")		\
	X(IRQ_FLUSH, "irq_flush", "flush interrupts taken")		\
	X(IRQ_RECALL, "irq_recall", "recall interrupts taken")		\
	X(IRQ_RESCHED, "irq_resched", "reschedule interrupts taken")	\
	X(IRQ_TIMER, "irq_timer", "time slice interrupts taken")	\
	X(IRQ_OTHER, "irq_other", "other interrupts, acknowledged and ignored") \
	X(NMI, "nmi", "non-maskable interrupts")			\
	X(MCE, "mce", "machine checks")					\
	X(USER_CYCLES, "user_cycles", "TSC cycles spent in user mode")	\
	X(IDLE_CYCLES, "idle_cycles", "TSC cycles spent with nothing to run") \
	X(HELD, "held", "times user mode waited for a hold to end")	\
	X(YIELD, "yield", "time slices cut short for a thread that had run less") \
	X(OVERDUE, "overdue", "threads put on the CPU because they had waited too long") \
	X(ANSWER_SCHED_YIELD, "answer_sched_yield", "calls of sched_yield answered") \
	X(ANSWER_GETPID, "answer_getpid", "calls of getpid answered")	\
	X(ANSWER_GETTID, "answer_gettid", "calls of gettid answered")	\
	X(ANSWER_GETCPU, "answer_getcpu", "calls of getcpu answered") \
	X(ANSWER_FUTEX, "answer_futex", "calls of futex answered")

/* Kept by the module: the home side. */
#define APK_HOME_COUNTERS(X)						\
	X(ADOPTED, "adopted", "threads adopted")			\
	X(VISIT, "visit", "visits considered")				\
	X(AWAY, "away", "visits made")					\
	X(HOME_SYSCALL, "home_syscall", "came home for a system call")	\
	X(HOME_FAULT, "home_fault", "came home with a fault not served in place") \
	X(HOME_EXCEPTION, "home_exception", "came home for an exception") \
	X(HOME_SIGNAL, "home_signal", "recalled for a signal or other task work") \
	X(HOME_RSEQ, "home_rseq", "came home inside a restartable sequence") \
	X(HOME_PARK, "home_park", "came home because the CPU is given back") \
	X(HOME_FAILED, "home_failed", "came home because the application kernel failed") \
	X(FAULT_SERVED, "fault_served", "page faults served without going home") \
	X(POLL_HIT, "poll_hit", "events seen while polling")		\
	X(SLEEP, "sleep", "times a bootstrap thread slept")		\
	X(DOORBELL, "doorbell", "doorbell interrupts taken")		\
	X(RECALL_SENT, "recall_sent", "recalls sent")			\
	X(WITHDRAWN, "withdrawn", "ready threads taken back before they ran") \
	X(FLUSH, "flush", "address space flushes asked for by Linux")	\
	X(FLUSH_IPI, "flush_ipi", "flush interrupts sent")		\
	X(BIND, "bind", "address spaces bound")				\
	X(STAY, "stay", "times a thread was told to stay home for a while") \
	X(KILLED, "killed", "threads killed because their CPU failed")	\
	X(HOLD, "hold", "holds: changes that need application CPUs out of user mode") \
	X(HOME_TURN, "home_turn", "came home, ready, for a turn: application CPUs were full") \
	X(TURN_IDLE, "turn_idle", "was asked to: its home CPU had just run out of work") \
	X(FAULT_AHEAD, "fault_ahead", "pages served with a fault on one before them") \
	X(LEAVE, "leave", "times a thread that stayed home was told to leave")

/* Why a visit was not made; also kept by the module. */
#define APK_DECLINES(X)							\
	X(SIGNAL, "signal", "a signal is pending")			\
	X(WORK, "work", "other task work must run first")		\
	X(MIDCALL, "midcall", "in the middle of a system call")		\
	X(TRACE, "trace", "single step, a debug register or a syscall stop") \
	X(SEGMENT, "segment", "not plain 64-bit user segments")		\
	X(FEATURE, "feature", "TSC or CPUID disabled, shadow stack, dynamic state") \
	X(RSEQ, "rseq", "inside a restartable sequence")		\
	X(TIMERS, "timers", "a CPU-time timer or limit is armed")	\
	X(FREEZE, "freeze", "stopping or freezing")			\
	X(PERF, "perf", "perf events count this thread")		\
	X(SCHED, "sched", "deadline policy, CPU mask or CPU quota")	\
	X(POLICY, "policy", "staying home pays")			\
	X(CPUS, "cpus", "no application CPU to go to")			\
	X(SLOTS, "slots", "no slot free")				\
	X(MEMORY, "memory", "the address space could not be bound") \
	X(TURN, "turn", "application CPUs are full and home has nothing else to do")

#endif
