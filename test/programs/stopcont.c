// SPDX-License-Identifier: GPL-2.0
/*
 * stopcont [rounds]: SIGSTOP, SIGCONT, a default action and SIGKILL reach a
 * process whose threads all spin away and make no system call. In its odd
 * rounds the process has three threads.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS	3

static struct shared {
	unsigned long count[THREADS];
	bool ready[THREADS];
} *shared;

static void *spin(void *arg)
{
	unsigned long self = (unsigned long)arg;

	go_away();
	store(&shared->ready[self], true);
	for (;;)
		store(&shared->count[self], shared->count[self] + 1);
	return NULL;
}

static pid_t start(unsigned int threads)
{
	pid_t child;

	memset(shared, 0, sizeof(*shared));
	child = must(fork());
	if (!child) {
		pthread_t thread;

		for (unsigned long i = 1; i < threads; i++)
			must0(pthread_create(&thread, NULL, spin, (void *)i));
		spin(0);
	}
	for (unsigned int i = 0; i < threads; i++)
		while (!load(&shared->ready[i])) {
			int status;

			if (waitpid(child, &status, WNOHANG) == child)
				exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
			usleep(1000);
		}
	return child;
}

static unsigned long total(void)
{
	unsigned long sum = 0;

	for (int i = 0; i < THREADS; i++)
		sum += load(&shared->count[i]);
	return sum;
}

/* As many steps as the child would have made in some milliseconds. */
static void let_time_pass(void)
{
	for (volatile int i = 0; i < 2000000; i++)
		;
}

static void end(pid_t child, int sig)
{
	int status;

	must(kill(child, sig));
	must(waitpid(child, &status, 0));
	check(WIFSIGNALED(status) && WTERMSIG(status) == sig, "signal %d: status %x", sig, status);
}

static void one_round(unsigned int threads, int sig)
{
	pid_t child = start(threads);
	unsigned long before;
	int status;

	must(kill(child, SIGSTOP));
	must(waitpid(child, &status, WUNTRACED));
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "SIGSTOP: status %x", status);
	before = total();
	let_time_pass();
	check(total() == before, "runs although it is stopped");
	must(kill(child, SIGCONT));
	must(waitpid(child, &status, WCONTINUED));
	check(WIFCONTINUED(status), "SIGCONT: status %x", status);
	spin_until(total() > before);
	end(child, sig);
	before = total();
	let_time_pass();
	check(total() == before, "runs although it is dead");
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	long rounds = argument(argc, argv, 1, 30);

	shared = must(mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (long i = 0; i < rounds; i++)
		one_round(i & 1 ? THREADS : 1, signals[i % 5]);
	printf("stopped, continued and killed, %ld rounds\n", rounds);
	return 0;
}
