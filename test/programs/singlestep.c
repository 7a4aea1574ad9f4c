// SPDX-License-Identifier: GPL-2.0
/*
 * singlestep [rounds]: a thread that sets the trap flag by POPF while it is away
 * gets one SIGTRAP an instruction, each with the address of the next one, until
 * its handler clears the flag.
 */
#include "where.h"
#include "check.h"
#include <signal.h>
#include <ucontext.h>

#define TF		0x100
#define STEPS		8	/* the instructions between stepped_begin and stepped_end */

void stepped(void);
extern char stepped_begin[], stepped_end[];
asm(
"stepped:\n"
"	pushfq\n	orq $0x100, (%rsp)\n	popfq\n"
"stepped_begin:\n"
"	nop\n	nop\n	nop\n	nop\n	nop\n	nop\n	nop\n	nop\n"
"stepped_end:\n"
"	ret\n");

static volatile int traps;

/* The first trap may come before or after the first instruction: processors and emulators differ. */
static void handler(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	char *rip = (char *)regs[REG_RIP];

	(void)sig;
	traps++;
	check(info->si_code == TRAP_TRACE, "si_code %d, not TRAP_TRACE", info->si_code);
	check(rip >= stepped_begin && rip <= stepped_end, "trap at %p, outside", rip);
	if (rip == stepped_end)
		regs[REG_EFL] &= ~TF;
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 50);
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	must(sigaction(SIGTRAP, &sa, NULL));
	for (long i = 0; i < rounds; i++) {
		traps = 0;
		go_away();
		stepped();
		check(traps == STEPS || traps == STEPS + 1, "%d traps for %d instructions", traps, STEPS);
	}
	printf("%d instructions stepped, %ld rounds\n", STEPS, rounds);
	return 0;
}
