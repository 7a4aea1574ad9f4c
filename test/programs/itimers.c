// SPDX-License-Identifier: GPL-2.0
/*
 * itimers: each of the three interval timers fires again and again under a thread
 * that only computes. The real-time one finds it away; the two that count CPU
 * time need not, but must fire.
 */
#include "where.h"
#include "check.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#define TIMES	20

static volatile int fired;

static void handler(int sig)
{
	(void)sig;
	fired++;
}

static void run(const char *name, int timer, int sig, bool away_wanted)
{
	struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, off = { 0 };
	volatile unsigned long away = 0;

	fired = 0;
	check(signal(sig, handler) != SIG_ERR, "signal: %s", strerror(errno));
	must(setitimer(timer, &every, NULL));
	while (fired < TIMES || (away_wanted && !anywhere && !away))
		away += is_away();
	must(setitimer(timer, &off, NULL));
	printf("%s: fired\n", name);
}

int main(void)
{
	go_away();
	run("ITIMER_REAL", ITIMER_REAL, SIGALRM, true);
	run("ITIMER_VIRTUAL", ITIMER_VIRTUAL, SIGVTALRM, false);
	run("ITIMER_PROF", ITIMER_PROF, SIGPROF, false);
	go_away();
	return 0;
}
