// SPDX-License-Identifier: GPL-2.0
/*
 * longjmp [rounds]: a handler leaves by siglongjmp while the thread spins away;
 * no rt_sigreturn ever restores what the signal interrupted.
 */
#include "where.h"
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static sigjmp_buf back;
static volatile int was_away;

static void handler(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

int main(int argc, char **argv)
{
	volatile long rounds = argument(argc, argv, 1, 500), jumps = 0, away = 0;
	struct itimerval once = { { 0, 0 }, { 0, 2000 } };

	check(signal(SIGALRM, handler) != SIG_ERR, "signal: %s", strerror(errno));
	while (jumps < rounds) {
		if (sigsetjmp(back, 1)) {
			jumps++;
			away += was_away;
			continue;
		}
		was_away = 0;
		must(setitimer(ITIMER_REAL, &once, NULL));
		for (;;)
			was_away = is_away();
	}
	require_away(away, rounds / 2);
	printf("%ld jumps out of a handler\n", jumps);
	return 0;
}
