// SPDX-License-Identifier: GPL-2.0
/*
 * churn: three threads that for ever do a bit of everything: spin, call, fault,
 * change mappings, fork, signal each other, wait for each other. To be killed at
 * any moment. Prints "ready" when all have been away.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS	3
#define SIZE	(64 * 4096)

static pthread_t threads[THREADS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *shared;
static int away;

static void on_usr1(int sig)
{
	(void)sig;
}

static void step(uint32_t choice, unsigned int self)
{
	switch (choice % 8) {
	case 0:
		for (volatile int i = 0; i < 20000; i++)
			;
		break;
	case 1:
		getppid();
		break;
	case 2:
		for (int i = 0; i < SIZE; i += 4096)
			shared[i]++;
		break;
	case 3:
		madvise(shared, SIZE, MADV_DONTNEED);
		break;
	case 4: {
		char *p = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		p[4096] = 1;
		must(mprotect(p, SIZE, PROT_READ));
		must(munmap(p, SIZE));
		break;
	}
	case 5:
		pthread_kill(threads[(self + 1) % THREADS], SIGUSR1);
		break;
	case 6:
		pthread_mutex_lock(&mutex);
		sched_yield();
		pthread_mutex_unlock(&mutex);
		break;
	case 7:
		if (choice & 0x700)	/* one in eight of these */
			break;
		pid_t child = fork();

		if (!child)
			_exit(0);
		if (child > 0)
			while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
				;
		break;
	}
}

static void *__attribute__((noreturn)) work(void *arg)
{
	unsigned int self = (unsigned long)arg;
	uint32_t state = 2463534242u + self;

	go_away();
	if (__atomic_add_fetch(&away, 1, __ATOMIC_ACQ_REL) == THREADS) {
		printf("ready\n");
		fflush(stdout);
	}
	spin_until(load(&away) >= THREADS);	/* all of threads[] is set as well */
	for (;;) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		step(state >> 8, self);
	}
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

	must(sigaction(SIGUSR1, &sa, NULL));
	shared = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	threads[0] = pthread_self();
	for (unsigned long i = 1; i < THREADS; i++)
		must0(pthread_create(&threads[i], NULL, work, (void *)i));
	work(NULL);
}
