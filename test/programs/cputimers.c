// SPDX-License-Identifier: GPL-2.0
/*
 * cputimers: timers on CPU time that a program arms for its own threads fire, and
 * not before that much time was used; so do limits on CPU time. Once nothing is
 * armed any more the thread leaves again.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERVAL	0.05
#define GRAIN		0.005	/* a tick, and what reading the clock takes */

static volatile int fired;
static int turning;

static void on_signal(int sig)
{
	(void)sig;
	fired = 1;
}

static double clock_of(clockid_t id)
{
	struct timespec t;

	must(clock_gettime(id, &t));
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Arms a timer and spins until it fires: without a call, once it is away. */
static void one(const char *name, clockid_t id)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec once = { .it_value.tv_nsec = INTERVAL * 1e9 };
	double before, used;
	timer_t timer;

	go_away();
	fired = 0;
	must(timer_create(id, &event, &timer));
	before = clock_of(id);
	must(timer_settime(timer, 0, &once, NULL));
	while (!fired)
		;
	used = clock_of(id) - before;
	check(used >= INTERVAL - GRAIN, "%s: fired after %f s", name, used);
	must(timer_delete(timer));
	go_away();
	printf("%s: fired\n", name);
}

static void *spin(void *arg)
{
	go_away();
	store(&turning, 1);
	while (load(&turning))
		;
	return arg;
}

/* A child that ends by a limit that it sets itself, or by the hard one. */
static void limited(const char *name, int ignore, rlim_t soft, rlim_t hard, int sig)
{
	struct rlimit limit = { soft, hard };
	struct rusage u;
	double used;
	int status;
	pid_t pid = must(fork());

	if (!pid) {
		check(signal(SIGXCPU, ignore ? SIG_IGN : SIG_DFL) != SIG_ERR, "signal: %s", strerror(errno));
		go_away();
		must(setrlimit(RLIMIT_CPU, &limit));
		for (;;)
			;
	}
	must(wait4(pid, &status, 0, &u));
	check(WIFSIGNALED(status) && WTERMSIG(status) == sig, "%s: status %#x", name, status);
	used = u.ru_utime.tv_sec + u.ru_utime.tv_usec * 1e-6 + u.ru_stime.tv_sec + u.ru_stime.tv_usec * 1e-6;
	/* Limits count ticks, wait4() what was used between them. */
	check(used >= (ignore ? hard : soft) / 2.0, "%s: after %f s", name, used);
	printf("%s: signal %d\n", name, sig);
}

int main(void)
{
	pthread_t thread;
	clockid_t id;

	check(signal(SIGUSR1, on_signal) != SIG_ERR, "signal: %s", strerror(errno));
	one("CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID);
	one("CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID);
	must0(pthread_create(&thread, NULL, spin, NULL));
	spin_until(load(&turning));
	must0(pthread_getcpuclockid(thread, &id));
	one("a sibling's clock", id);
	one("CLOCK_PROCESS_CPUTIME_ID, with a sibling", CLOCK_PROCESS_CPUTIME_ID);
	store(&turning, 0);
	must0(pthread_join(thread, NULL));
	limited("soft limit", 0, 1, RLIM_INFINITY, SIGXCPU);
	limited("hard limit", 1, 1, 2, SIGKILL);
	return 0;
}
