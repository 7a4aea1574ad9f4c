// SPDX-License-Identifier: GPL-2.0
/*
 * answers [shown | yield ROUNDS]: calls that an application CPU answers itself, with all
 * kinds of arguments, registers and flags, in threads, children, namespaces and after
 * an exec. What it prints is the same natively.
 *
 * shown: getcpu() says the number that rseq and the vDSO show.
 * yield: two threads, with one CPU between them, take turns by sched_yield() alone.
 */
#include "where.h"
#include "check.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 300

static long raw(long number, void *a, void *b, void *c)
{
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return result;
}

/* The thread's number as a call says that is always made at home, by the name of a file. */
static long tid_at_home(void)
{
	char name[PATH_MAX];
	ssize_t n = must(readlink("/proc/thread-self", name, sizeof(name) - 1));

	name[n] = 0;
	return strtol(strrchr(name, '/') + 1, NULL, 10);
}

static void *identity(void *expected)
{
	long tid = tid_at_home();

	go_away();
	for (int i = 0; i < ROUNDS; i++) {
		check(raw(SYS_getpid, NULL, NULL, NULL) == (long)expected, "getpid");
		check(raw(SYS_gettid, NULL, NULL, NULL) == tid, "gettid, not %ld", tid);
	}
	return NULL;
}

static void in_thread(long pid)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, identity, (void *)pid));
	must0(pthread_join(thread, NULL));
}

static void in_child(const char *what, int own_namespace)
{
	int status;
	pid_t pid;

	fflush(stdout);
	if (own_namespace)
		must(unshare(CLONE_NEWPID));
	pid = must(fork());
	if (!pid) {
		go_away();
		pid = raw(SYS_getpid, NULL, NULL, NULL);
		check(raw(SYS_gettid, NULL, NULL, NULL) == pid, "gettid in a child");
		if (own_namespace)
			check(pid == 1, "%d in a namespace of its own", pid);
		else
			identity((void *)tid_at_home());
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && !status, "status %#x", status);
	printf("%s: its own numbers\n", what);
}

static void *exec_again(void *arg)
{
	go_away();
	execl("/proc/self/exe", "answers", "exec", (char *)arg, NULL);
	fail("exec: %s", strerror(errno));
}

/* The thread that executes a program becomes the first one. */
static void exec_in_thread(void)
{
	static char number[32];
	pthread_t thread;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = must(fork());
	if (!pid) {
		sprintf(number, "%ld", raw(SYS_getpid, NULL, NULL, NULL));
		must0(pthread_create(&thread, NULL, exec_again, number));
		for (;;)
			pause();
	}
	check(waitpid(pid, &status, 0) == pid && !status, "status %#x", status);
	printf("exec by a thread: the process's number\n");
}

/* All flags that a program may set, and all registers, are as they were. */
struct state { uint64_t r[15], flags, xmm[32]; } in, out;
void state_call(void);
extern char state_after[];
asm(
".macro STATE_REGS op\n"
"	.irp pair, \"0,rax\", \"8,rbx\", \"16,rcx\", \"24,rdx\", \"32,rsi\", \"40,rdi\", "
"\"48,rbp\", \"56,r8\", \"64,r9\", \"72,r10\", \"80,r11\", \"88,r12\", \"96,r13\", "
"\"104,r14\", \"112,r15\"\n"
"	\\op \\pair\n"
"	.endr\n"
".endm\n"
".macro STATE_XMMS op\n"
"	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	\\op \\n\n"
"	.endr\n"
".endm\n"
".macro STATE_LOAD at, reg\n	mov in+\\at(%rip), %\\reg\n.endm\n"
".macro STATE_SAVE at, reg\n	mov %\\reg, out+\\at(%rip)\n.endm\n"
".macro STATE_LOADX n\n	movups in+128+16*\\n(%rip), %xmm\\n\n.endm\n"
".macro STATE_SAVEX n\n	movups %xmm\\n, out+128+16*\\n(%rip)\n.endm\n"
"state_call:\n"
"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
"	STATE_XMMS STATE_LOADX\n"
"	STATE_REGS STATE_LOAD\n"
"	push in+120(%rip)\n"
"	popfq\n"
"	syscall\n"
"state_after:\n"
"	STATE_REGS STATE_SAVE\n"
"	pushfq\n"
"	pop out+120(%rip)\n"
"	pushq $0x202\n"
"	popfq\n"
"	STATE_XMMS STATE_SAVEX\n"
"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
"	ret\n");

static const uint64_t flags[] = { 0x202, 0x8d7 | 0x200, 0x602, 0x200202, 0x40202, 0x240ed7 };

static void state(long number, long want)
{
	go_away();
	for (unsigned int i = 0; i < 60; i++) {
		uint64_t *word = (uint64_t *)&in;

		for (unsigned int k = 0; k < sizeof(in) / 8; k++)
			word[k] = 0x1000100010001 * (k + 1) + i;
		in.r[0] = number;
		if (number == SYS_getcpu)
			in.r[4] = in.r[5] = 0;	/* RSI, RDI: nothing to store */
		in.flags = flags[i % (sizeof(flags) / sizeof(*flags))];
		state_call();
		check(out.r[0] == (uint64_t)want, "call %ld says %ld, not %ld", number, (long)out.r[0], want);
		check(out.r[2] == (uint64_t)state_after, "rcx is %#lx", out.r[2]);
		check(out.r[10] == in.flags, "r11 is %#lx, the flags were %#lx", out.r[10], in.flags);
		out.r[0] = in.r[0];
		out.r[2] = in.r[2];
		out.r[10] = in.r[10];
		check(!memcmp(&in, &out, sizeof(in)), "call %ld changed registers or flags", number);
	}
	printf("call %ld: registers and flags\n", number);
}

static void getcpu_as_shown(void)
{
	unsigned int cpu, node, before;
	int shown, equal = 0;

	go_away();
	for (int i = 0; i < 10 * ROUNDS; i++) {
		before = apic_id();
		shown = sched_getcpu();
		cpu = node = ~0U;
		check(!raw(SYS_getcpu, &cpu, &node, NULL), "getcpu");
		check(cpu != ~0U && node == 0, "CPU %u, node %u", cpu, node);
		if (apic_id() == before && (anywhere || !is_home_apic(before)))
			equal += (int)cpu == shown;
	}
	check(equal > ROUNDS, "the number shown %d times", equal);
	printf("getcpu: the number that is shown\n");
}

static void getcpu_pointers(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct { const char *name; void *pointer; } places[] = {
		{ "null", NULL }, { "8", (void *)8 }, { "fresh", m }, { "again", m },
		{ "odd", m + 13 }, { "read-only", m + page }, { "end of a page", m + 2 * page - 2 },
		{ "none", m + 2 * page }, { "unmapped", m + 3 * page },
		{ "last page", (void *)0x7ffffffff000 }, { "before it", (void *)0x7fffffffeffe },
		{ "no address", (void *)0x800000000000 }, { "56 bits", (void *)0xfffffffffff000 },
		{ "Linux's", (void *)0xffff888000000000 },
		{ "the window", (void *)0xffffffff80001000 }, { "-1", (void *)-1 }, { "-4", (void *)-4 },
	};

	check(m != MAP_FAILED, "mmap: %s", strerror(errno));
	m[page] = m[2 * page] = 1;
	must(mprotect(m + page, page, PROT_READ));
	must(mprotect(m + 2 * page, page, PROT_NONE));
	must(munmap(m + 3 * page, page));
	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++) {
		void *p = places[i].pointer;
		unsigned int cpu = ~0U;
		long first, second, good = 0;

		go_away();
		first = raw(SYS_getcpu, p, NULL, NULL);
		go_away();
		second = raw(SYS_getcpu, &cpu, p, (void *)-1);
		good = cpu != ~0U;
		printf("getcpu to %s: %ld %ld %ld\n", places[i].name, first, second, good);
	}
}

static void numbers(void)
{
	static const long odd[] = { SYS_getpid | 1L << 32, SYS_sched_yield | 1L << 63,
		SYS_getpid | 0x40000000, 0x7fffffff, 310, 1L << 40, -1, -39 };
	long pid = raw(SYS_getpid, NULL, NULL, NULL);

	for (unsigned int i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		long result;

		go_away();
		result = raw(odd[i], NULL, NULL, NULL);
		printf("call %#lx: %ld\n", odd[i], result == pid ? 0 : result);
	}
	check(!raw(SYS_sched_yield, (void *)-1, (void *)-1, (void *)-1), "sched_yield");
}

static long rounds, turn, taken[2];

static void *take_turns(void *arg)
{
	long self = (long)arg;

	go_away();
	for (long i = 0; i < rounds; i++) {
		while (load(&turn) != self)
			check(!raw(SYS_sched_yield, NULL, NULL, NULL), "sched_yield");
		taken[self]++;
		store(&turn, !self);
	}
	return NULL;
}

static void yielding(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, take_turns, (void *)1));
	take_turns((void *)0);
	must0(pthread_join(thread, NULL));
	printf("%ld and %ld turns\n", taken[0], taken[1]);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "exec")) {
		identity((void *)strtol(argv[2], NULL, 10));
		check(raw(SYS_gettid, NULL, NULL, NULL) == raw(SYS_getpid, NULL, NULL, NULL), "not the first");
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "shown")) {
		getcpu_as_shown();
		return 0;
	}
	if (argc > 1) {
		check(!strcmp(argv[1], "yield"), "what is \"%s\"?", argv[1]);
		rounds = argument(argc, argv, 2, 1000);
		yielding();
		return 0;
	}
	identity((void *)(long)getpid());
	in_thread(getpid());
	in_child("child", 0);
	exec_in_thread();
	state(SYS_getpid, getpid());
	state(SYS_gettid, getpid());
	state(SYS_sched_yield, 0);
	state(SYS_getcpu, 0);
	state(SYS_getppid, getppid());
	getcpu_pointers();
	numbers();
	in_child("child in a pid namespace", 1);
	return 0;
}
