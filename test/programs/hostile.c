// SPDX-License-Identifier: GPL-2.0
/*
 * hostile sigreturn|ptrace|each SEED FIRST ROUNDS: threads go on, away, with
 * registers as a hostile program would choose them, and execute what user mode
 * may not, or hardly ever does. What comes of each round (signal, code, address, all
 * registers) is printed, and is the same as natively.
 *
 * sigreturn: a handler writes the registers into the context that it returns to.
 * ptrace: a tracer writes them. each: plain registers, every piece of snippets.h
 * with every parameter. A round's numbers come from SEED and its own number.
 */
#include "where.h"
#include "check.h"
#include "adopt.h"
#include "random.h"
#include "snippets.h"
#include "xarea.h"
#include "trace.h"
#include <elf.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <ucontext.h>

#define PAGE		4096UL
#define CODE		0x10000000UL		/* one page; the next is not there */
#define CODE_AT		(CODE + 0x800)
#define HIGHEST		0x7fffffffe000UL	/* the highest page of user space, code too */
#define STACK		(DATA + 2 * PAGE + 0x800)	/* where RSP points when it is good */
#define ALTERNATE	0x30000000UL
#define ALTERNATE_SIZE	0x10000UL
#define NOWHERE		0x40000000UL

enum mode { SIGRETURN, PTRACE, EACH };

/* What came of a round. */
struct record {
	uint32_t snippet, parameter;
	int32_t refused, status;	/* errno of a tracer's write; how the thread ended */
	int32_t sig, code;
	uint64_t address;
	uint64_t reg[27];		/* user_regs_struct, or what a handler sees of it */
	struct fpu_seen fpu;
	int32_t tried;			/* snippet where wrote what it saw: 1: home, 2: away */
};

/* What a round sets. */
struct state {
	uint64_t reg[23];	/* by REG_R8 and so on: a handler's gregs */
	uint64_t fs_base, gs_base;
	uint32_t ds, es, fs, gs;
	int block;
	uint32_t snippet, parameter;
};

static uint64_t seed;
static enum mode mode;
static long first, rounds;
static struct record *records;
static volatile long *current;	/* the child's round, for its parent */
static struct state state;
static struct random chance;
static sigjmp_buf next_round;
static uint64_t own_fs_base;

static const uint64_t addresses[] = {
	0, 1, 0x7ffffffff000, 0x7fffffffffff, 0x7fffffffeffe, 0x7fffffffefff, 0x7ffffffff000 - 16,
	0x800000000000, 0x00ffffffffffffff, 0x0100000000000000, 0x00fffffffffff000, 0x8000000000000000,
	0xff00000000000000, 0xfeffffffffffffff, 0xffff7fffffffffff, 0xffff800000000000, 0xffff888000000000,
	0xffffffff80000000, 0xffffffff80014000, 0xffffffff80030000, 0xffffffff81001000, 0xffffffff801ff000,
	0xffffffffff600000, 0xffffffffff600010, 0xffffffffffffffff, 0xfffffffffffffff8, 0xfffffe0000000000,
	NOWHERE, CODE + PAGE, CODE + PAGE - 1, DATA, DATA + 1, DATA - 8, DATA + 4 * PAGE, DATA + 4 * PAGE - 4,
};

/* LAR and VERW say that there is no 32-bit code segment: see docs/limits.md. */
static const uint16_t selectors[] = {
	0, 1, 3, 4, 7, 0x0b, 0x0c, 0x0f, 0x10, 0x13, 0x18, 0x1b, 0x23, 0x28, 0x2b, 0x30, 0x33, 0x40, 0x43,
	0x4b, 0x63, 0x6b, 0x73, 0x78, 0x7b, 0x83, 0xff, 0x1003, 0xfff8, 0xffff,
};

#define SELECTORS	(sizeof(selectors) / sizeof(*selectors))

static uint64_t pick_address(struct random *r)
{
	switch (below(r, 4)) {
	case 0:
		return STACK + (random64(r) & 0x3ff);
	case 1:
		return one_of(r, addresses);
	case 2:
		return one_of(r, addresses) + (int8_t)random64(r);
	}
	return random64(r) >> below(r, 64);
}

static uint64_t pick_value(struct random *r)
{
	return one_in(r, 3) ? pick_address(r) : one_in(r, 2) ? one_of(r, selectors) : random64(r);
}

/* See excluded() for null selectors. */
static uint32_t pick_data_selector(struct random *r)
{
	uint32_t s = one_of(r, selectors);

	return s & ~3 ? s : 0;
}

/* Flags that user mode can set, and some that it cannot. */
static uint64_t pick_flags(struct random *r)
{
	static const struct {
		unsigned int in;	/* one in so many has it */
		uint64_t flag;
	} rare[] = {
		{ 8, 0x400 },		/* DF */
		{ 8, 0x4000 },		/* NT */
		{ 16, 0x40000 },	/* AC */
		{ 16, 0x10000 },	/* RF */
		{ 16, 0x100 },		/* TF */
		{ 16, 0x3000 },		/* IOPL */
	};
	uint64_t flags = 0x202 | (random64(r) & 0x8d5);

	for (unsigned int i = 0; i < sizeof(rare) / sizeof(*rare); i++) {
		if (one_in(r, rare[i].in))
			flags |= rare[i].flag;
	}
	if (one_in(r, 16))
		flags ^= random64(r) & 0x3a0200;	/* IF, VM, VIF, VIP, ID */
	if (one_in(r, 32))
		flags = random64(r);
	return flags;
}

/*
 * QEMU's emulation reads and writes the frames of far returns and calls in user mode
 * with the rights of ring 0. SMAP forbids that, and Linux takes it for a fault of its own.
 */
static int frames_fault(void)
{
	unsigned int a, b, c, d;

	__cpuid(0x40000000, a, b, c, d);
	if (b != 0x54474354)	/* "TCGT" */
		return 0;
	__cpuid_count(7, 0, a, b, c, d);
	return b >> 20 & 1;
}

/*
 * Does the piece say what is known to differ (docs/limits.md), or what differs natively
 * too? A null selector in DS or ES loses its low bits with every interrupt.
 */
static int excluded(const struct snippet *s, uint32_t parameter)
{
	if (s->parameter == FRAME || s->begin == snippet_far_call)
		return frames_fault();
	if (s->begin == snippet_mov_ds || s->begin == snippet_mov_es)
		return parameter && parameter < 4;
	return s->begin == snippet_lar && (parameter & ~3) == 0x20;
}

/* How many rounds mode each has for a piece: one for every parameter. */
static long rounds_of(const struct snippet *s)
{
	return s->parameter == INT ? 256 : s->parameter ? SELECTORS : 1;
}

static void pick_snippet(struct random *r, long round, struct state *s)
{
	if (mode == EACH) {
		for (s->snippet = 0; s->snippet < SNIPPET_COUNT; s->snippet++) {
			if (round < rounds_of(&snippets[s->snippet]))
				break;
			round -= rounds_of(&snippets[s->snippet]);
		}
		check(s->snippet < SNIPPET_COUNT, "there are not so many rounds");
		s->parameter = snippets[s->snippet].parameter == INT ? round : selectors[round];
		return;
	}
	s->snippet = one_in(r, 6) ? 0 : below(r, SNIPPET_COUNT);
	s->parameter = snippets[s->snippet].parameter == INT ? below(r, 256) : one_of(r, selectors);
}

/* How many it has in all. */
static long all_rounds(void)
{
	long n = 0;

	for (unsigned int i = 0; i < SNIPPET_COUNT; i++)
		n += rounds_of(&snippets[i]);
	return n;
}

static void pick_state(struct random *r, long round, struct state *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = REG_R8; i <= REG_RCX; i++)
		s->reg[i] = mode == EACH ? 0x0101010101010101UL * i : pick_value(r);
	pick_snippet(r, round, s);
	s->fs_base = DATA;
	s->gs_base = DATA;
	s->reg[REG_RIP] = CODE_AT;
	s->reg[REG_RSP] = STACK;
	s->reg[REG_EFL] = 0x202;
	s->reg[REG_CSGSFS] = 0x002b000000000033;
	if (snippets[s->snippet].parameter == SELECTOR)
		s->reg[REG_RAX] = s->parameter;
	s->reg[REG_RAX] |= 0x02000000;	/* should it be a system call's number, there is none such */
	if (mode == EACH)
		return;
	if (one_in(r, 8))
		s->reg[REG_RIP] = one_in(r, 2) ? HIGHEST + PAGE - below(r, 4) : pick_address(r);
	if (one_in(r, 4))
		s->reg[REG_RSP] = pick_address(r);
	if (one_in(r, 2))
		s->reg[REG_EFL] = pick_flags(r);
	if (s->snippet && one_in(r, 8))	/* as 32-bit code, the first would end with the APIC id in EBX */
		s->reg[REG_CSGSFS] = (s->reg[REG_CSGSFS] & ~0xffffUL) | one_of(r, selectors);
	if (one_in(r, 8))
		s->reg[REG_CSGSFS] = (s->reg[REG_CSGSFS] & 0xffff) | (uint64_t)one_of(r, selectors) << 48;
	if (one_in(r, 4)) {
		s->fs_base = pick_address(r);
		s->gs_base = pick_address(r);
	}
	if (one_in(r, 6)) {
		s->ds = pick_data_selector(r);
		s->es = pick_data_selector(r);
		s->fs = one_of(r, selectors);
		s->gs = one_of(r, selectors);
	}
	s->block = one_in(r, 24);
}

/* The memory that the state needs: the piece of code, the frame on the stack, garbage. */
static void prepare_memory(struct random *r, const struct state *s)
{
	const struct snippet *piece = &snippets[s->snippet];
	uint64_t *stack = (void *)STACK, *garbage = (void *)(DATA + 0x400);
	size_t size = piece->end - piece->begin;
	uint16_t cs = s->parameter, ss = s->parameter;
	/* SYSCALL, SYSENTER, INT 0x80 as the last instruction that there can be. */
	static const char *const last[] = { "\x0f\x05", "\x0f\x34", "\xcd\x80" };

	memset((void *)HIGHEST, 0xcc, PAGE);
	memcpy((void *)(HIGHEST + PAGE - 2), one_of(r, last), 2);
	memset((void *)CODE, 0xcc, PAGE);
	memcpy((void *)CODE_AT, piece->begin, size);
	if (piece->parameter == INT)
		((uint8_t *)CODE_AT)[1] = s->parameter;
	memset((void *)DATA, 0, 4 * PAGE);
	for (int i = 0; i < 128; i++)
		garbage[i] = random64(r);
	if (one_in(r, 2))	/* what XRSTOR may accept */
		memset(garbage + 64, 0, 64);
	*(uint32_t *)(DATA + 0x200) = 0xff;
	memcpy((void *)(DATA + 0x100), &(uint64_t){ CODE_AT + size - 2 }, 8);
	memcpy((void *)(DATA + 0x104), &cs, 2);
	memcpy((void *)(DATA + 0x108), &cs, 2);
	/*
	 * A frame that leads to the UD2; one of its selectors is the parameter. No trap flag,
	 * for that is popf's matter, and not VM: QEMU lets user mode into 8086 mode.
	 */
	if (one_in(r, 2))
		cs = 0x33;
	else
		ss = 0x2b;
	if (piece->begin == snippet_iretq || piece->begin == snippet_lretq) {
		stack[0] = one_in(r, 8) ? pick_address(r) : CODE_AT + size - 2;
		stack[1] = cs;
		stack[2] = pick_flags(r) & ~0x20100UL;
		stack[3] = STACK;
		stack[4] = ss;
	} else {
		uint32_t *narrow = (void *)stack;

		narrow[0] = CODE_AT + size - 2;
		narrow[1] = cs;
		narrow[2] = pick_flags(r) & ~0x20100UL;
		narrow[3] = STACK;
		narrow[4] = ss;
	}
}

/* Freestanding: the thread's segments, flags and FS base may be anything. */
static void on_outcome(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	struct record *rec = &records[*current];
	uint64_t fs_base, gs_base;
	uint16_t ds, es, fs, gs;

	asm volatile("rdfsbase %0; rdgsbase %1; mov %%ds, %2; mov %%es, %3; mov %%fs, %4; mov %%gs, %5"
		     : "=r"(fs_base), "=r"(gs_base), "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs; wrfsbase %1; wrgsbase %2"
		     :: "r"(0), "r"(own_fs_base), "r"(0UL) : "memory");
	rec->sig = sig;
	rec->code = info->si_code;
	rec->address = (uintptr_t)info->si_addr;
	memcpy(rec->reg, u->uc_mcontext.gregs, 23 * 8);
	rec->reg[23] = fs_base == own_fs_base ? 1 : fs_base;
	rec->reg[24] = gs_base;
	rec->reg[25] = ds | es << 16;
	rec->reg[26] = fs | gs << 16;
	if (u->uc_mcontext.fpregs)
		rec->fpu = see_fpu((void *)u->uc_mcontext.fpregs);
	siglongjmp(next_round, 1);
}

/* Linux leaves alignment checks on, and whatever else it does not know of. */
asm("outcome: pushq $0x202; popfq; jmp on_outcome_c");
void outcome(int sig, siginfo_t *info, void *context);
void on_outcome_c(int, siginfo_t *, void *) __attribute__((alias("on_outcome"), used));

/* What else of the context may be wrong. */
static void spoil_context(ucontext_t *u)
{
	uint8_t *area = (void *)u->uc_mcontext.fpregs;

	if (one_in(&chance, 3) && area)
		spoil_fpu(&chance, area, 1);
	switch (below(&chance, 40)) {
	case 0:
		u->uc_mcontext.fpregs = (void *)pick_address(&chance);
		break;
	case 1:
		u->uc_flags = random64(&chance) & 7;
		break;
	case 2:
		u->uc_mcontext.fpregs = NULL;
		break;
	}
}

static int canonical(uint64_t address)
{
	return (int64_t)(address << 16) >> 16 == (int64_t)address;
}

/* Returns to the round's state. */
static void on_usr1(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	(void)info;
	memcpy(u->uc_mcontext.gregs, state.reg, 19 * 8);	/* to CSGSFS */
	if (state.block)
		sigfillset(&u->uc_sigmask);
	if (u->uc_mcontext.fpregs)
		plain_fpu((void *)u->uc_mcontext.fpregs);
	if (mode != EACH)
		spoil_context(u);
	/* It is here that others would fault. */
	if (!canonical(state.fs_base) || !canonical(state.gs_base))
		state.fs_base = state.gs_base = DATA;
	asm volatile("wrgsbase %0; wrfsbase %1" :: "r"(state.gs_base), "r"(state.fs_base) : "memory");
}

static void *fixed(uintptr_t address, size_t size, int protection)
{
	void *p = mmap((void *)address, size, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	check(p == (void *)address, "mmap at %#lx: %s", address, strerror(errno));
	return p;
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	must(sigaction(sig, &sa, NULL));
}

/* The child: makes rounds until one kills it. */
static void make_rounds(long from)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	stack_t alternate = { .ss_sp = (void *)ALTERNATE, .ss_size = ALTERNATE_SIZE };
	volatile long i;

	must(sigaltstack(&alternate, NULL));
	for (unsigned int k = 0; k < sizeof(signals) / sizeof(*signals); k++)
		handle(signals[k], outcome);
	handle(SIGUSR1, on_usr1);
	asm volatile("rdfsbase %0" : "=r"(own_fs_base));
	adopt_this_thread();
	for (i = from; i < rounds; i++) {
		*current = i;
		chance = random_of(seed, first + i);
		pick_state(&chance, first + i, &state);
		records[i].snippet = state.snippet;
		records[i].parameter = state.parameter;
		if (excluded(&snippets[state.snippet], state.parameter))
			continue;
		prepare_memory(&chance, &state);
		go_away();
		if (!sigsetjmp(next_round, 0)) {
			raise(SIGUSR1);
			fail("seed %#lx, round %ld: it returned", seed, first + i);
		}
		records[i].tried = *(uint32_t *)(DATA + 0x200) == 0xff ? 0 : is_home_apic(*(uint32_t *)(DATA + 0x200)) ? 1 : 2;
	}
	*current = i;
	exit(0);
}

/*
 * Code may happen to loop for ever, natively too: a round that lasts through two
 * alarms is ended, and has ended by SIGKILL then.
 */
#define PATIENCE	20

static volatile pid_t child;

static void on_alarm(int sig)
{
	static long seen = -1;

	(void)sig;
	if (seen == *current && child)
		kill(child, SIGKILL);
	seen = *current;
	alarm(PATIENCE);
}

static void by_handler(void)
{
	long at = 0;

	while (at < rounds) {
		pid_t pid = must(fork());
		int status;

		if (!pid)
			make_rounds(at);
		child = pid;
		must(waitpid(pid, &status, 0));
		child = 0;
		if (!status)
			return;
		check(WIFSIGNALED(status), "seed %#lx, round %ld: the child says so", seed, first + *current);
		records[*current].status = status;
		at = *current + 1;
	}
}

/* The traced child: stops, and everything else is done to it. */
static pid_t start_tracee(void)
{
	pid_t pid = must(fork());

	if (!pid) {
		must(ptrace(PTRACE_TRACEME, 0, 0, 0));
		adopt_this_thread();
		go_away();
		raise(SIGSTOP);
		_exit(1);
	}
	stops(pid, SIGSTOP);
	must(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL));
	return pid;
}

/* In user_regs_struct's order, by what a handler calls them. */
static void to_user(const struct state *s, struct user_regs_struct *u)
{
	u->r8 = s->reg[REG_R8];
	u->r9 = s->reg[REG_R9];
	u->r10 = s->reg[REG_R10];
	u->r11 = s->reg[REG_R11];
	u->r12 = s->reg[REG_R12];
	u->r13 = s->reg[REG_R13];
	u->r14 = s->reg[REG_R14];
	u->r15 = s->reg[REG_R15];
	u->rdi = s->reg[REG_RDI];
	u->rsi = s->reg[REG_RSI];
	u->rbp = s->reg[REG_RBP];
	u->rbx = s->reg[REG_RBX];
	u->rdx = s->reg[REG_RDX];
	u->rax = s->reg[REG_RAX];
	u->rcx = s->reg[REG_RCX];
	u->rsp = s->reg[REG_RSP];
	u->rip = s->reg[REG_RIP];
	u->eflags = s->reg[REG_EFL];
	u->orig_rax = -1;
	u->cs = s->reg[REG_CSGSFS] & 0xffff;
	u->ss = s->reg[REG_CSGSFS] >> 48;
	u->ds = s->ds;
	u->es = s->es;
	u->fs = s->fs;
	u->gs = s->gs;
	u->fs_base = s->fs_base;
	u->gs_base = s->gs_base;
}

static void write_registers(pid_t pid, struct record *rec, const struct state *s)
{
	struct user_regs_struct u = { 0 };

	to_user(s, &u);
	while (ptrace(PTRACE_SETREGS, pid, 0, &u)) {
		rec->refused = errno;
		/* Refused in the middle: what is in the way becomes plain, and again. */
		u.cs = 0x33;
		u.ss = 0x2b;
		u.ds = 0;
		u.es = 0;
		u.fs = 0;
		u.gs = 0;
		u.fs_base = DATA;
		u.gs_base = DATA;
	}
}

static void write_fpu(pid_t pid, struct record *rec, const uint8_t *good, size_t size)
{
	static uint8_t area[XAREA];
	struct iovec io = { area, size };

	memcpy(area, good, size);
	if (one_in(&chance, 2))
		spoil_fpu(&chance, area, 0);
	if (!ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io))
		return;
	rec->refused += errno << 8;
	memcpy(area, good, size);
	must(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io));
}

/* The stop that the round ends in. False: the thread is gone. */
static int read_stop(pid_t pid, struct record *rec)
{
	static uint8_t area[XAREA];
	struct iovec io = { area, sizeof(area) };
	int status = next_status(pid);
	siginfo_t info;

	if (!WIFSTOPPED(status)) {
		rec->status = status;
		return 0;
	}
	rec->sig = WSTOPSIG(status);
	must(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	rec->code = info.si_code;
	rec->address = (uintptr_t)info.si_addr;
	must(ptrace(PTRACE_GETREGS, pid, 0, rec->reg));
	must(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io));
	rec->fpu = see_fpu(area);
	return 1;
}

static void by_tracer(void)
{
	static uint8_t good[XAREA];
	struct iovec io;
	pid_t pid = 0;

	for (long i = 0; i < rounds; i++) {
		struct record *rec = &records[i];
		volatile uint32_t *seen = (void *)(DATA + 0x200);

		chance = random_of(seed, first + i);
		pick_state(&chance, first + i, &state);
		rec->snippet = state.snippet;
		rec->parameter = state.parameter;
		if (excluded(&snippets[state.snippet], state.parameter))
			continue;
		if (!pid) {
			pid = start_tracee();
			io = (struct iovec){ good, sizeof(good) };
			must(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io));
			plain_fpu(good);
		}
		prepare_memory(&chance, &state);
		write_registers(pid, rec, &state);
		write_fpu(pid, rec, good, io.iov_len);
		must(ptrace(one_in(&chance, 10) ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, 0, 0));
		*current = i;
		child = pid;
		if (!read_stop(pid, rec))
			pid = 0;
		child = 0;
		rec->tried = *seen == 0xff ? 0 : is_home_apic(*seen) ? 1 : 2;
	}
	if (pid) {
		must(kill(pid, SIGKILL));
		ends(pid, SIGKILL);
	}
}

/* Linux leads 32-bit code back through the vDSO, which lies anywhere: what is left of that. */
static uint64_t plain(uint64_t value)
{
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);

	if (value - vdso < 4 * PAGE || (value >> 32 == 0 && (uint32_t)(value - vdso) < 4 * PAGE))
		return 0xd50 << 20 | (value & (PAGE - 1));
	return value;
}

static void print_rounds(void)
{
	long tried = 0, away = 0;

	for (long i = 0; i < rounds; i++) {
		const struct record *rec = &records[i];

		tried += !!rec->tried;
		away += rec->tried == 2;
		printf("%ld %s %#x: refused %#x, status %#x, signal %d, code %d, address %#lx,", first + i,
		       snippets[rec->snippet].name, rec->parameter, rec->refused, rec->status, rec->sig, rec->code,
		       plain(rec->address));
		for (int k = 0; k < 27; k++)
			printf(" %lx", plain(rec->reg[k]));
		printf(", fpu %016lx, mxcsr %#x, fcw %#x\n", rec->fpu.sum, rec->fpu.mxcsr, rec->fpu.fcw);
	}
	fprintf(stderr, "%ld rounds, %ld looked where they were, %ld of them away\n", rounds, tried, away);
	if (mode != EACH && rounds > 100)
		check(tried > rounds / 20, "only %ld rounds looked where they were", tried);
	require_away(away, (tried + 1) / 2);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "sigreturn", "ptrace", "each" };

	check(argc > 1, "which mode?");
	while (strcmp(modes[mode], argv[1])) {
		mode++;
		check(mode <= EACH, "mode %s?", argv[1]);
	}
	seed = argument(argc, argv, 2, 1);
	first = argument(argc, argv, 3, 0);
	rounds = argument(argc, argv, 4, mode == EACH ? all_rounds() : 100);
	records = shared_memory(rounds * sizeof(*records) + PAGE);
	current = shared_memory(PAGE);
	fixed(CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	fixed(DATA, 4 * PAGE, PROT_READ | PROT_WRITE);
	fixed(ALTERNATE, ALTERNATE_SIZE, PROT_READ | PROT_WRITE);
	fixed(HIGHEST, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	check(signal(SIGALRM, on_alarm) != SIG_ERR, "no handler");
	alarm(PATIENCE);
	if (mode == PTRACE)
		by_tracer();
	else
		by_handler();
	print_rounds();
	return 0;
}
