// SPDX-License-Identifier: GPL-2.0
/*
 * ptraceregs: what a tracer sees of a thread's registers is what it sees natively,
 * all of them, by every way to read them: attached to while the thread spins away, in
 * the stops before and after a system call, and after it went on from there. What
 * a tracer writes is what the thread goes on with.
 */
#include "where.h"
#include "check.h"
#include "trace.h"
#include <elf.h>
#include <linux/ptrace.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/reg.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#define WORDS	(sizeof(struct user_regs_struct) / sizeof(long))

/* Both processes have it at the same address. */
static struct shared {
	uint32_t ready, go, away;
	uint64_t rsp, fs_base;
	uint8_t ymm[16][32];
} *m;

/* Labels in the tracee's code below. */
extern const char spin_begin[], spin_end[], call_begin[], call_end[], call_more[];

/*
 * Sets every register, spins until told to go on, and makes a call with six
 * arguments that does not exist, then getpid(); after that all again.
 */
static void tracee(void)
{
	go_away();
	m->fs_base = (uintptr_t)__builtin_thread_pointer();
	m->away = anywhere || is_away();
	asm volatile(
		"mov %%rsp, %c[rsp](%[m])\n"
		".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		"vmovdqu %c[ymm]+32*\\n(%[m]), %%ymm\\n\n"
		".endr\n"
		"movl $1, %c[ready](%[m])\n"
		"mov %[m], %%rbx\n"
		"mov $0xd1d1d1d1d1d1d1d1, %%rdi\n"
		"mov $0x5151515151515151, %%rsi\n"
		"mov $0xdddddddddddddddd, %%rdx\n"
		"mov $0x0808080808080808, %%r8\n"
		"mov $0x0909090909090909, %%r9\n"
		"mov $0x1010101010101010, %%r10\n"
		"mov $0x1111111111111111, %%r11\n"
		"mov $0x1212121212121212, %%r12\n"
		"mov $0x1313131313131313, %%r13\n"
		"mov $0x1414141414141414, %%r14\n"
		"mov $0x1515151515151515, %%r15\n"
		"mov $0xcccccccccccccccc, %%rcx\n"
		"mov $0xbbbbbbbbbbbbbbbb, %%rbp\n"
		"mov $5000, %%eax\n"
		"spin_begin: cmpl $0, %c[go](%%rbx)\n"
		"je spin_begin\n"
		"spin_end: std\n"
		"stc\n"
		"call_begin: syscall\n"
		"call_end: mov $39, %%eax\n"	/* getpid */
		"syscall\n"
		"call_more: movl $2, %c[ready](%%rbx)\n"
		"cld\n"
		"movl $0, %c[go](%%rbx)\n"
		"mov $5001, %%eax\n"
		"jmp spin_begin\n"
		:: [m] "a"(m), [rsp] "i"(offsetof(struct shared, rsp)), [ymm] "i"(offsetof(struct shared, ymm)),
		   [ready] "i"(offsetof(struct shared, ready)), [go] "i"(offsetof(struct shared, go))
		: "memory");
	__builtin_unreachable();
}

static const char *const names[WORDS] = {
	"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi",
	"rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
};

/* Addresses become what does not depend on where things lie. */
static unsigned long plain(unsigned int i, unsigned long value, pid_t pid)
{
	if (value == (uintptr_t)call_end)
		return 0xca11;
	if (value == (uintptr_t)call_more)
		return 0xca12;
	if (value >= (uintptr_t)spin_begin && value < (uintptr_t)spin_end)
		return 0x5b1;
	if (i == RBX && value == (uintptr_t)m)
		return 0x5ea;
	if (i == RSP && value == m->rsp)
		return 0x57ac;
	if (value && value == m->fs_base)
		return 0xf5;
	return value == (unsigned long)pid ? 0x91d : value;
}

struct registers {
	unsigned long word[WORDS];
};

static struct registers read_registers(pid_t pid)
{
	struct user_regs_struct r;
	struct registers set;
	struct iovec io = { &set, sizeof(set) };

	must(ptrace(PTRACE_GETREGS, pid, 0, &r));
	must(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io));
	check(io.iov_len == sizeof(set) && !memcmp(&r, &set, sizeof(r)), "GETREGS and GETREGSET differ");
	for (unsigned int i = 0; i < WORDS; i++) {
		errno = 0;
		check(set.word[i] == (unsigned long)ptrace(PTRACE_PEEKUSER, pid, 8 * i, 0) && !errno,
		      "GETREGS and PEEKUSER differ in %s", names[i]);
	}
	return set;
}

/* Where in the spin loop a thread stops is chance; registers and flags are the same at both places. */
static void show(const char *what, pid_t pid)
{
	struct registers r = read_registers(pid);

	printf("%s:", what);
	for (unsigned int i = 0; i < WORDS; i++)
		printf(" %s=%#lx", names[i], plain(i, r.word[i], pid));
	printf("\n");
}

static void show_call(const char *what, pid_t pid)
{
	struct ptrace_syscall_info info = { 0 };
	long n = must(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info));

	printf("%s: %ld bytes, op %d, arch %#x, ip %#lx, sp %#lx:", what, n, info.op, info.arch,
	       plain(RIP, info.instruction_pointer, pid), plain(RSP, info.stack_pointer, pid));
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		printf(" nr %llu", info.entry.nr);
		for (int i = 0; i < 6; i++)
			printf(" %#llx", info.entry.args[i]);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		printf(" %#lx, error %d", plain(RAX, info.exit.rval, pid), info.exit.is_error);
	}
	printf("\n");
}

static void interrupt(pid_t pid)
{
	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	stops(pid, EVENT(PTRACE_EVENT_STOP));
}

/* Both ways to read the vector registers; and what is written is there after a while away. */
static void vectors(pid_t pid)
{
	static uint8_t area[16384];
	struct user_fpregs_struct fp;
	struct iovec io = { area, sizeof(area) };

	must(ptrace(PTRACE_GETFPREGS, pid, 0, &fp));
	must(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io));
	check(!memcmp(area, &fp, 416), "GETFPREGS and NT_X86_XSTATE differ");	/* up to XMM15 */
	for (int i = 0; i < 16; i++) {
		check(!memcmp(area + 160 + 16 * i, m->ymm[i], 16), "xmm%d differs", i);
		check(!memcmp(area + 576 + 16 * i, m->ymm[i] + 16, 16), "upper half of ymm%d differs", i);
		for (int k = 0; k < 32; k++)
			m->ymm[i][k] ^= 0x5a;
		memcpy(area + 160 + 16 * i, m->ymm[i], 16);
		memcpy(area + 576 + 16 * i, m->ymm[i] + 16, 16);
	}
	must(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io));
}

/* Lets it spin for a while, which it does away. */
static void spins(pid_t pid)
{
	struct timespec nap = { 0, 20000000 };

	must(ptrace(PTRACE_CONT, pid, 0, 0));
	must(nanosleep(&nap, NULL));
}

static void writes(pid_t pid)
{
	struct registers r = read_registers(pid);
	struct iovec io = { &r, sizeof(r) };

	r.word[R12] ^= 0xffff;
	r.word[RCX] ^= 0xffff;
	r.word[EFLAGS] |= 0x400;	/* DF */
	must(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io));
	must(ptrace(PTRACE_POKEUSER, pid, 8 * R13, 0xabcdef));
	vectors(pid);
	spins(pid);
	interrupt(pid);
	show("written, spun", pid);
	vectors(pid);
}

static void call(pid_t pid, const char *which)
{
	printf("%s call\n", which);
	must(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	stops(pid, SIGTRAP | 0x80);
	show(" entry", pid);
	show_call(" entry", pid);
	must(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	stops(pid, SIGTRAP | 0x80);
	show(" exit", pid);
	show_call(" exit", pid);
}

static void trace(pid_t pid)
{
	spin_until(load(&m->ready));
	require_away(m->away, 1);
	must(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
	interrupt(pid);
	show("seized", pid);
	show_call("seized", pid);
	writes(pid);
	spins(pid);
	interrupt(pid);
	store(&m->go, 1);
	call(pid, "first");
	call(pid, "second");
	must(ptrace(PTRACE_CONT, pid, 0, 0));
	spin_until(load(&m->ready) == 2);
	interrupt(pid);
	show("after", pid);
	spins(pid);
	interrupt(pid);
	show("later", pid);
	must(ptrace(PTRACE_DETACH, pid, 0, 0));
	must(ptrace(PTRACE_ATTACH, pid, 0, 0));
	stops(pid, SIGSTOP);
	show("attached", pid);
}

int main(void)
{
	pid_t pid;

	if (!__builtin_cpu_supports("avx"))
		return 77;
	go_away();
	m = shared_memory(sizeof(*m));
	for (int i = 0; i < 16; i++) {
		for (int k = 0; k < 32; k++)
			m->ymm[i][k] = 33 * i + 7 * k;
	}
	pid = must(fork());
	if (!pid)
		tracee();
	trace(pid);
	must(kill(pid, SIGKILL));
	ends(pid, SIGKILL);
	return 0;
}
