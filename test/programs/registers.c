// SPDX-License-Identifier: GPL-2.0
/*
 * registers [rounds]: a handler of a fault raised away sees every register as it
 * was at the instruction, and what it writes into the context is what the thread
 * goes on with: fifteen general registers, flags, SSE registers, rip and rsp.
 */
#include "where.h"
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#define GPRS		15
#define FLAGS		0x8d5	/* OF SF ZF AF PF CF */

/* In the order in which the probes load and store them. */
static const int greg[GPRS] = {
	REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_R8,
	REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* Loaded before the instruction, and found after the handler has returned. */
uint64_t want[GPRS], got[GPRS], saved_rsp;
uint32_t want_xmm[16][4], got_xmm[16][4];

/*
 * probe_X(): loads want and want_xmm and all arithmetic flags, executes the
 * instruction at probe_X_insn, goes on at probe_X_after and stores got.
 */
asm(
".macro EACH_GPR op:req\n"
"	\\op 0, %rax\n	\\op 1, %rbx\n	\\op 2, %rcx\n	\\op 3, %rdx\n"
"	\\op 4, %rsi\n	\\op 5, %rdi\n	\\op 6, %rbp\n	\\op 7, %r8\n"
"	\\op 8, %r9\n	\\op 9, %r10\n	\\op 10, %r11\n	\\op 11, %r12\n"
"	\\op 12, %r13\n	\\op 13, %r14\n	\\op 14, %r15\n"
".endm\n"
".macro LOAD i, reg\n	mov want+8*\\i(%rip), \\reg\n.endm\n"
".macro STORE i, reg\n	mov \\reg, got+8*\\i(%rip)\n.endm\n"
".macro PROBE name, insn:vararg\n"
"	.globl probe_\\name, probe_\\name\\()_insn, probe_\\name\\()_after\n"
"probe_\\name:\n"
"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
"	.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	movups want_xmm+16*\\i(%rip), %xmm\\i\n"
"	.endr\n"
"	pushq $0xad7\n	popfq\n"		/* FLAGS, IF and the bit that is always set */
"	mov %rsp, saved_rsp(%rip)\n"
"	EACH_GPR LOAD\n"
"probe_\\name\\()_insn:\n"
"	\\insn\n"
"probe_\\name\\()_after:\n"
"	EACH_GPR STORE\n"
"	.irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	movups %xmm\\i, got_xmm+16*\\i(%rip)\n"
"	.endr\n"
"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
"	ret\n"
".endm\n"
"	PROBE load, mov (%rax), %rbx\n"
"	PROBE store, movq $1, (%rdi)\n"
"	PROBE div, divq %rcx\n"
"	PROBE ud2, ud2\n"
"	PROBE int3, int3\n"
"	PROBE hlt, hlt\n");

#define PROBE(name) \
	extern void probe_##name(void); \
	extern char probe_##name##_insn[], probe_##name##_after[];
PROBE(load) PROBE(store) PROBE(div) PROBE(ud2) PROBE(int3) PROBE(hlt)

static const struct probe {
	const char *name;
	void (*run)(void);
	char *rip, *after;	/* rip: what the handler must see */
	int signal;
	int fixed;		/* index in want with a given value, -1: none */
	uint64_t value;
} probes[] = {
	{ "load", probe_load, probe_load_insn, probe_load_after, SIGSEGV, 0, 0x123450 },
	{ "store", probe_store, probe_store_insn, probe_store_after, SIGSEGV, 5, 0x8 },
	{ "div", probe_div, probe_div_insn, probe_div_after, SIGFPE, 2, 0 },
	{ "ud2", probe_ud2, probe_ud2_insn, probe_ud2_after, SIGILL, -1, 0 },
	{ "int3", probe_int3, probe_int3_after, probe_int3_after, SIGTRAP, -1, 0 },
	{ "hlt", probe_hlt, probe_hlt_insn, probe_hlt_after, SIGSEGV, -1, 0 },
};

static const struct probe *current;
static uint64_t changed[GPRS];
static uint32_t changed_xmm[16][4];
static uint64_t seed = 88172645463325252;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	(void)info;
	check(sig == current->signal, "%s: signal %d, not %d", current->name, sig, current->signal);
	check(m->gregs[REG_RIP] == (greg_t)current->rip, "%s: rip %llx, not %p", current->name,
	      m->gregs[REG_RIP], current->rip);
	check(m->gregs[REG_RSP] == (greg_t)saved_rsp, "%s: rsp %llx, not %lx", current->name,
	      m->gregs[REG_RSP], saved_rsp);
	check((m->gregs[REG_EFL] & FLAGS) == FLAGS, "%s: flags %llx", current->name,
	      m->gregs[REG_EFL]);
	for (int i = 0; i < GPRS; i++) {
		check((uint64_t)m->gregs[greg[i]] == want[i], "%s: general register %d: %llx, not %lx",
		      current->name, i, m->gregs[greg[i]], want[i]);
		m->gregs[greg[i]] = changed[i];
	}
	for (int i = 0; i < 16; i++) {
		check(!memcmp(m->fpregs->_xmm[i].element, want_xmm[i], 16), "%s: xmm%d",
		      current->name, i);
		memcpy(m->fpregs->_xmm[i].element, changed_xmm[i], 16);
	}
	m->gregs[REG_RIP] = (greg_t)current->after;
}

static void one_round(const struct probe *p)
{
	current = p;
	for (int i = 0; i < GPRS; i++) {
		want[i] = next();
		changed[i] = next();
	}
	if (p->fixed >= 0)
		want[p->fixed] = p->value;
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 4; j++) {
			want_xmm[i][j] = next();
			changed_xmm[i][j] = next();
		}
	go_away();
	p->run();
	check(!memcmp(got, changed, sizeof(got)), "%s: general registers after the handler", p->name);
	check(!memcmp(got_xmm, changed_xmm, sizeof(got_xmm)), "%s: xmm after the handler", p->name);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 200);
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	for (unsigned int i = 0; i < sizeof(probes) / sizeof(*probes); i++) {
		must(sigaction(probes[i].signal, &sa, NULL));
		for (long k = 0; k < rounds; k++)
			one_round(&probes[i]);
		printf("%s: registers exact, %ld rounds\n", probes[i].name, rounds);
	}
	return 0;
}
