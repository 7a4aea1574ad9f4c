/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The system calls that an application CPU answers itself, once:
 * X(name, number, text, rule, condition, source).
 *
 *   rule       what the answer is
 *   condition  when it is given; otherwise, as every other call, it is made at home
 *   source     where Linux says so
 *
 * `go generate ./abi` turns the list into abi/answers_gen.go and into the table of
 * docs/calls.md, which says why these and no others. The first three are all that
 * code goes by: what a call does when it is answered is in kernel/answer. A counter
 * ANSWER_name of counters.h goes with each, in the same order.
 */
#ifndef APKERN_ANSWERS_H
#define APKERN_ANSWERS_H

#define APK_ANSWERS(X)							\
	X(SCHED_YIELD, 24, "sched_yield",				\
	  "0, after a turn of those that wait for the CPU",		\
	  "always",							\
	  "kernel/sched/core.c, do_sched_yield()")			\
	X(GETPID, 39, "getpid",						\
	  "the process's number in its own pid namespace",		\
	  "always: it changes only by fork and exec, which are made at home", \
	  "kernel/sys.c, SYSCALL_DEFINE0(getpid)")			\
	X(GETTID, 186, "gettid",					\
	  "the thread's number in its own pid namespace",		\
	  "always, likewise",						\
	  "kernel/sys.c, SYSCALL_DEFINE0(gettid)")			\
	X(GETCPU, 309, "getcpu",					\
	  "the CPU's number, as rseq, RDTSCP and the vDSO show it, and node 0", \
	  "the pointers can be written through, and there is one node",	\
	  "kernel/sys.c, SYSCALL_DEFINE3(getcpu)")			\
	X(FUTEX, 202, "futex",						\
	  "FUTEX_WAIT: -EAGAIN as soon as the word is another; FUTEX_WAKE: 0", \
	  "private; a wait without timeout, when the word changes soon; a wake, when Linux has no waiter", \
	  "kernel/futex/waitwake.c, futex_wait_setup(), futex_wake()")

#endif
