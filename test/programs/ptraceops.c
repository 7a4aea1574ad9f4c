// SPDX-License-Identifier: GPL-2.0
/*
 * ptraceops: what a tracer does to a program happens to it as natively: emulated
 * system calls, single steps, debug registers, text written under a thread that
 * runs it away, and the events of fork, clone, exec and exit.
 */
#include "where.h"
#include "check.h"
#include "trace.h"
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/reg.h>
#include <sys/syscall.h>
#include <sys/user.h>

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU			31
#define PTRACE_SYSEMU_SINGLESTEP	32
#endif

/* Both processes have it at the same address. */
static struct shared {
	uint32_t ready, go, seen;
	uint64_t counter, watched;
} *m;

extern const char stepped_begin[], stepped_end[], constant[];

/* A tracee begins away, and stopped there by its tracer. */
static pid_t start(void (*body)(void), long options)
{
	pid_t pid;

	memset(m, 0, sizeof(*m));
	pid = must(fork());
	if (!pid) {
		go_away();
		require_away(is_away(), 1);
		store(&m->ready, 1);
		spin_until(load(&m->go));
		body();
		_exit(0);
	}
	spin_until(load(&m->ready));
	must(ptrace(PTRACE_SEIZE, pid, 0, options | PTRACE_O_EXITKILL));
	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	stops(pid, EVENT(PTRACE_EVENT_STOP));
	store(&m->go, 1);
	return pid;
}

static long peek(pid_t pid, int reg)
{
	long value;

	errno = 0;
	value = ptrace(PTRACE_PEEKUSER, pid, 8L * reg, 0);
	check(!errno, "PEEKUSER: %s", strerror(errno));
	return value;
}

static void emulated_body(void)
{
	for (int i = 0; i < 3; i++)
		check(syscall(SYS_getppid) == 4242 + i, "the emulated result is lost");
	go_away();
	check(syscall(SYS_getppid) > 1, "no native result");
}

static void emulated(void)
{
	pid_t pid = start(emulated_body, 0);
	int steps = 0;

	for (int i = 0; i < 3; i++) {
		/* A spinning native tracee yields: those calls are to be left alone. */
		do {
			must(ptrace(PTRACE_SYSEMU, pid, 0, 0));
			stops(pid, SIGTRAP);
		} while (peek(pid, ORIG_RAX) != SYS_getppid);
		must(ptrace(PTRACE_POKEUSER, pid, 8L * RAX, 4242 + i));
	}
	do {
		must(ptrace(PTRACE_SYSEMU_SINGLESTEP, pid, 0, 0));
		stops(pid, SIGTRAP);
	} while (++steps < 3);
	must(ptrace(PTRACE_CONT, pid, 0, 0));
	ends(pid, 0);
	printf("emulated calls\n");
}

static void stepped_body(void)
{
	asm volatile("stepped_begin: mov $10, %%ecx\n"
		     "1: dec %%ecx\n"
		     "jnz 1b\n"
		     "rep stosb\n"	/* of no byte */
		     "mov $39, %%eax\n"
		     "syscall\n"
		     "stepped_end: nop\n" ::: "rax", "rcx", "rdi", "r11", "memory", "cc");
}

static void stepped(void)
{
	pid_t pid = start(stepped_body, 0);
	unsigned long ip;
	int inside = 0;

	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), stepped_begin));
	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 1));
	must(ptrace(PTRACE_CONT, pid, 0, 0));
	stops(pid, SIGTRAP);
	check(peek(pid, RIP) == (long)stepped_begin, "stopped at %#lx", peek(pid, RIP));
	printf("DR6 at the breakpoint: %#lx\n",
	       (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0));
	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0));
	do {
		must(ptrace(PTRACE_SINGLESTEP, pid, 0, 0));
		stops(pid, SIGTRAP);
		ip = peek(pid, RIP);
		inside++;
	} while (ip >= (uintptr_t)stepped_begin && ip < (uintptr_t)stepped_end);
	check(ip == (uintptr_t)stepped_end, "stepped to %#lx", ip);
	must(ptrace(PTRACE_CONT, pid, 0, 0));
	ends(pid, 0);
	printf("%d steps\n", inside);
}

static void watched_body(void)
{
	for (uint64_t i = 1;; i++) {
		store(&m->counter, i);
		if (i == 1000)
			store(&m->watched, 1);
		if (i > 2000 && (anywhere || is_away()))
			store(&m->seen, 1);
	}
}

/* A watchpoint keeps the thread home; without it, it leaves again. */
static void watched(void)
{
	pid_t pid = start(watched_body, 0);

	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[1]), &m->watched));
	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0x00d00004));	/* 1: written, 4 bytes */
	must(ptrace(PTRACE_CONT, pid, 0, 0));
	stops(pid, SIGTRAP);
	check(m->counter == 1000 && m->watched == 1, "stopped at %lu", m->counter);
	printf("DR6 at the watchpoint: %#lx\n",
	       (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0));
	printf("DR7 at the watchpoint: %#lx\n",
	       (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[7]), 0));
	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0));
	must(ptrace(PTRACE_CONT, pid, 0, 0));
	spin_until(load(&m->seen));
	must(kill(pid, SIGKILL));
	ends(pid, SIGKILL);
}

/* Reports, for ever, the number in one of its instructions. */
static void *constant_body(void *arg)
{
	uint32_t value;

	(void)arg;
	go_away();
	for (;;) {
		/* The number is in the last four bytes of five, all in one word. */
		asm volatile(".balign 8\n"
			     "constant: mov $0x11111111, %%eax" : "=a"(value));
		store(&m->seen, value);
		store(&m->counter, is_away());
	}
	return NULL;
}

static void written_body(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, constant_body, NULL));
	for (;;)
		pause();
}

/* Writes the number into the instruction while another thread than the one that stops executes it. */
static void write_constant(pid_t pid, uint32_t value)
{
	union {
		long word;
		uint8_t byte[8];
	} text;

	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	stops(pid, EVENT(PTRACE_EVENT_STOP));
	errno = 0;
	text.word = ptrace(PTRACE_PEEKTEXT, pid, constant, 0);
	check(!errno, "PEEKTEXT: %s", strerror(errno));
	memcpy(&text.byte[1], &value, sizeof(value));
	must(ptrace(PTRACE_POKETEXT, pid, constant, text.word));
	must(ptrace(PTRACE_CONT, pid, 0, 0));
}

/* Is the number executed soon? */
static int constant_seen(uint32_t value)
{
	double end = now() + 0.5;

	while (load(&m->seen) != value && now() < end) {
		if (anywhere)
			sched_yield();
	}
	return load(&m->seen) == value;
}

/*
 * QEMU 7.2 may translate an instruction while it is written and not look again,
 * with any Linux on several processors: then it is written once more. A thread
 * that still had the page from before the first writing would never see it.
 */
static void written(void)
{
	pid_t pid = start(written_body, 0);

	must(ptrace(PTRACE_CONT, pid, 0, 0));
	spin_until(load(&m->seen) == 0x11111111 && (anywhere || load(&m->counter)));
	for (uint32_t value = 0x22222222; value < 0xffffffff; value += 0x11111111) {
		do {
			write_constant(pid, value);
		} while (!constant_seen(value));
	}
	must(kill(pid, SIGKILL));
	ends(pid, SIGKILL);
	printf("text written under a thread\n");
}

static void *nothing(void *arg)
{
	return arg;
}

static void eventful_body(void)
{
	pthread_t thread;
	pid_t pid = must(fork());

	if (!pid) {
		go_away();
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
	pid = must(vfork());
	if (!pid)
		_exit(0);
	must(waitpid(pid, NULL, 0));
	must0(pthread_create(&thread, NULL, nothing, NULL));
	must0(pthread_join(thread, NULL));
	go_away();
	execl("/bin/true", "true", NULL);
}

/* Prints the events of the first process; its children go on at once. */
static void eventful(void)
{
	pid_t pid, first = start(eventful_body, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
				 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE);
	unsigned long message;
	int status;

	must(ptrace(PTRACE_CONT, first, 0, 0));
	for (;;) {
		pid = must(waitpid(-1, &status, __WALL));
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == first)
				break;
			continue;
		}
		if (pid == first && status >> 16) {
			must(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
			printf("event %d in %ld, message %s\n", status >> 16, peek(pid, ORIG_RAX),
			       message == (unsigned long)pid ? "itself" : message > 1 ? "another" : "none");
		}
		must(ptrace(PTRACE_CONT, pid, 0, status >> 16 || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status)));
	}
	printf("ended with %#x\n", status);
}

int main(void)
{
	go_away();
	m = shared_memory(sizeof(*m));
	emulated();
	stepped();
	watched();
	written();
	eventful();
	return 0;
}
