// SPDX-License-Identifier: GPL-2.0
/*
 * eintr: calls that a signal interrupts: EINTR without SA_RESTART, restarted with
 * it, sigsuspend, ppoll, the time that nanosleep leaves, and a handler's effect on errno.
 */
#include "where.h"
#include "check.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int handled;
static int fds[2];

static void on_alarm(int sig)
{
	(void)sig;
	handled++;
}

/* Alarms every 5 ms, so that none can be too early for the call it interrupts. */
static void alarms(int flags)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } };

	handled = 0;
	must(sigaction(SIGALRM, &sa, NULL));
	go_away();
	must(setitimer(ITIMER_REAL, &every, NULL));
}

static void quiet(void)
{
	struct itimerval off = { 0 };

	must(setitimer(ITIMER_REAL, &off, NULL));
}

static void interrupted_read(void)
{
	char c;

	alarms(0);
	errno = 0;
	check(read(fds[0], &c, 1) == -1 && errno == EINTR, "read: %s", strerror(errno));
	quiet();
	check(handled >= 1, "no handler ran");
	printf("read: EINTR\n");
}

static void *write_after_handlers(void *arg)
{
	(void)arg;
	while (handled < 5)
		usleep(1000);
	must(write(fds[1], "x", 1));
	return NULL;
}

static void restarted_read(void)
{
	sigset_t alarm_only;
	pthread_t writer;
	char c = 0;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	must0(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL));
	handled = 0;	/* or the writer counts the handlers of the case before */
	must0(pthread_create(&writer, NULL, write_after_handlers, NULL));
	must0(pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL));
	alarms(SA_RESTART);
	check(read(fds[0], &c, 1) == 1 && c == 'x', "restarted read: %s", strerror(errno));
	quiet();
	check(handled >= 5, "%d handlers ran", handled);
	must0(pthread_join(writer, NULL));
	printf("read: restarted\n");
}

static void suspended(void)
{
	sigset_t blocked, none, after;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	must(sigprocmask(SIG_BLOCK, &blocked, NULL));
	alarms(0);
	check(sigsuspend(&none) == -1 && errno == EINTR, "sigsuspend: %s", strerror(errno));
	quiet();
	check(handled >= 1, "no handler ran");
	must(sigprocmask(SIG_UNBLOCK, &blocked, &after));
	check(sigismember(&after, SIGALRM), "sigsuspend did not restore the mask");
	printf("sigsuspend: EINTR, mask restored\n");
}

static void others(void)
{
	struct timespec hour = { 3600, 0 }, left = { 0 };
	struct pollfd nothing = { .fd = fds[0], .events = POLLIN };
	int word = 0;

	alarms(SA_RESTART);
	check(ppoll(&nothing, 1, &hour, NULL) == -1 && errno == EINTR, "ppoll: %s", strerror(errno));
	check(nanosleep(&hour, &left) == -1 && errno == EINTR, "nanosleep: %s", strerror(errno));
	check(left.tv_sec > 3000, "nanosleep left %ld s", left.tv_sec);
	quiet();
	alarms(0);
	check(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &hour) == -1 && errno == EINTR, "futex: %s",
	      strerror(errno));
	quiet();
	printf("ppoll, nanosleep, futex: EINTR\n");
}

int main(void)
{
	must(pipe(fds));
	for (int i = 0; i < 10; i++) {
		interrupted_read();
		restarted_read();
		suspended();
		others();
	}
	return 0;
}
