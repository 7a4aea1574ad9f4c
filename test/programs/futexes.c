// SPDX-License-Identifier: GPL-2.0
/*
 * futexes [ROUNDS]: futex() by threads that are away: odd arguments, waiters that
 * went home, those that are restarted or moved to another futex, and locks made of
 * it under all that can disturb them. A wake-up that is lost hangs. What is printed
 * is the same natively.
 */
#include "where.h"
#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static long futex(const void *word, long op, long value, const void *timeout, void *word2, long value3)
{
	register const void *r10 asm("r10") = timeout;
	register void *r8 asm("r8") = word2;
	register long r9 asm("r9") = value3;
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(SYS_futex), "D"(word), "S"(op), "d"(value), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return result;
}

static void arguments(void)
{
	static uint32_t word = 5;
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const void *places[] = { &word, NULL, (char *)&word + 1, (char *)&word + 2, m, m + 4096,
		(void *)0x7fffffffeffc, (void *)0x7ffffffff000, (void *)0x800000000000,
		(void *)0xffffffff80001000, (void *)-4 };
	static const long ops[] = { FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE, FUTEX_WAIT_BITSET_PRIVATE,
		FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, FUTEX_WAIT_PRIVATE | FUTEX_CLOCK_REALTIME,
		FUTEX_WAKE_PRIVATE | FUTEX_CLOCK_REALTIME, FUTEX_WAIT, FUTEX_WAKE,
		FUTEX_WAIT_PRIVATE | 1L << 32, 127, 128 + 14, -1 };
	static const struct timespec soon = { 0, 1000 }, wrong = { 0, -1 }, past;
	/* Nothing waits for ever: the word is not 4, or there is a time-out that is over or wrong. */
	const struct { long value; const void *timeout; long value3; } rest[] = {
		{ 4, NULL, FUTEX_BITSET_MATCH_ANY }, { 4, NULL, 0 }, { 4, NULL, -1 }, { 4, NULL, 6 },
		{ 4 | 1L << 32, NULL, FUTEX_BITSET_MATCH_ANY }, { 5, &past, FUTEX_BITSET_MATCH_ANY },
		{ 5 | 1L << 40, &past, FUTEX_BITSET_MATCH_ANY }, { 5, &soon, FUTEX_BITSET_MATCH_ANY },
		{ 4, &soon, FUTEX_BITSET_MATCH_ANY }, { 4, &wrong, FUTEX_BITSET_MATCH_ANY },
		{ 4, (void *)8, FUTEX_BITSET_MATCH_ANY }, { -1, NULL, -1 }, { INT_MIN, NULL, -1 },
	};

	check(m != MAP_FAILED, "mmap: %s", strerror(errno));
	must(munmap(m + 4096, 4096));
	*(uint32_t *)m = 5;
	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++)
		for (unsigned int k = 0; k < sizeof(ops) / sizeof(*ops); k++) {
			printf("place %u, operation %lx:", i, ops[k]);
			for (unsigned int n = 0; n < sizeof(rest) / sizeof(*rest); n++) {
				go_away();
				printf(" %ld", futex(places[i], ops[k], rest[n].value, rest[n].timeout, NULL, rest[n].value3));
			}
			printf("\n");
		}
	check(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0) == 0, "a wake of nobody");
}

/* A thread that waits for a word to change from 0, and says so. */
struct waiter {
	const struct timespec *timeout;
	uint32_t word;
	long op, result, tid;
	uint32_t done;
	pthread_t thread;
} __attribute__((aligned(256)));

static void *await(void *arg)
{
	struct waiter *w = arg;

	store(&w->tid, syscall(SYS_gettid));
	go_away();
	w->result = futex(&w->word, w->op, 0, w->timeout, NULL, FUTEX_BITSET_MATCH_ANY);
	store(&w->done, 1);
	return NULL;
}

/* Returns when it waits in Linux, in the call with that number. */
static void until_it_waits(struct waiter *w, long call)
{
	char name[64], text[64];
	FILE *f;

	sprintf(name, "/proc/self/task/%ld/syscall", w->tid);
	do {
		f = fopen(name, "r");
		check(f && fgets(text, sizeof(text), f), "%s", name);
		fclose(f);
	} while (strtol(text, NULL, 10) != call);
}

static void start_waiter(struct waiter *w)
{
	w->word = w->done = w->tid = 0;
	must0(pthread_create(&w->thread, NULL, await, w));
	while (!load(&w->tid))
		sched_yield();
	until_it_waits(w, SYS_futex);
}

static void end_waiter(struct waiter *w, long result)
{
	must0(pthread_join(w->thread, NULL));
	check(w->result == result, "the waiter's call said %ld", w->result);
}

/* Waiters at home are found by wakes from away, whether the word changes or not. */
static void waiters_at_home(void)
{
	static struct waiter w[3];
	static const long ops[] = {
		FUTEX_WAIT_PRIVATE, FUTEX_WAIT_BITSET_PRIVATE, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME
	};

	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 3; k++) {
			w[k].op = ops[k];
			start_waiter(&w[k]);
		}
		for (int k = 0; k < 3; k++) {
			go_away();
			if (i & 1)
				store(&w[k].word, 1);
			check(futex(&w[k].word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1, "waiter %d is not there", k);
			check(futex(&w[k].word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0, "waiter %d is there twice", k);
			end_waiter(&w[k], 0);
		}
	}
	printf("waiters at home are found\n");
}

/* Stops this process, and lets it go on. */
static void stop_and_continue(void)
{
	pid_t self = getpid(), child;
	int status;

	child = fork();
	must(child);
	if (!child) {
		char name[64], text[512], state = 0;

		must(kill(self, SIGSTOP));
		sprintf(name, "/proc/%d/stat", self);
		while (state != 'T') {
			FILE *f = fopen(name, "r");

			check(f && fgets(text, sizeof(text), f), "%s", name);
			fclose(f);
			state = strrchr(text, ')')[2];
		}
		must(kill(self, SIGCONT));
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child && status == 0, "the child's status is %#x", status);
}

/* A waiter is found whose call goes on as restart_syscall(), which does not say what for. */
static void restarted(void)
{
	static const struct timespec long_time = { 1000, 0 };
	static struct waiter w = { .op = FUTEX_WAIT_PRIVATE, .timeout = &long_time };

	for (int i = 0; i < 20; i++) {
		start_waiter(&w);
		stop_and_continue();
		until_it_waits(&w, SYS_restart_syscall);
		go_away();
		check(futex(&w.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1, "the waiter is not there");
		end_waiter(&w, 0);
	}
	printf("restarted waiters are found\n");
}

/* A waiter that is moved to another futex is found there. */
static void moved(void)
{
	static uint32_t other[1024];
	static struct waiter w = { .op = FUTEX_WAIT_PRIVATE };

	for (int i = 0; i < 40; i++) {
		start_waiter(&w);
		go_away();
		check(futex(&w.word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)1, &other[7 * i], 0) == 1, "not moved");
		go_away();
		check(futex(&w.word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0, "still there");
		check(futex(&other[7 * i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1, "not found");
		end_waiter(&w, 0);
	}
	printf("moved waiters are found\n");
}

static __thread unsigned int waits;

/* A lock as in Drepper's "Futexes are tricky": 0 free, 1 taken, 2 somebody may wait. */
static void take(uint32_t *lock)
{
	static const struct timespec soon = { 0, 50000 };
	uint32_t was = 0;

	if (__atomic_compare_exchange_n(lock, &was, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	while (__atomic_exchange_n(lock, 2, __ATOMIC_SEQ_CST)) {
		long r = futex(lock, FUTEX_WAIT_PRIVATE, 2, waits++ % 8 ? NULL : &soon, NULL, 0);

		check(r == 0 || r == -EAGAIN || r == -EINTR || r == -ETIMEDOUT, "wait says %ld", r);
	}
}

static void drop(uint32_t *lock)
{
	if (__atomic_exchange_n(lock, 0, __ATOMIC_SEQ_CST) == 2)
		check(futex(lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0, "wake");
}

static long rounds = 300;
static uint32_t lock;
static volatile long shared;	/* under the lock */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t tokens;
static long turn;		/* under the mutex */
static int interrupted;

#define THREADS 6

static void on_alarm(int sig)
{
	(void)sig;
	__atomic_fetch_add(&interrupted, 1, __ATOMIC_RELAXED);
}

/* The last two stay at home: their CPUs are Linux's. */
static void stay_home(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

static void *nothing(void *arg)
{
	return arg;
}

static void *disturb(void *arg)
{
	long self = (long)arg;
	pthread_t child;

	if (self >= THREADS - 2)
		stay_home();
	for (long i = 0; i < rounds; i++) {
		take(&lock);
		shared++;
		if (i % 16 == 0)
			sched_yield();
		drop(&lock);
		pthread_mutex_lock(&mutex);
		while (turn % THREADS != self)
			pthread_cond_wait(&condition, &mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
		if (i % 8 == 0)
			pthread_barrier_wait(&barrier);
		must(sem_post(&tokens));
		while (sem_wait(&tokens))
			check(errno == EINTR, "sem_wait: %s", strerror(errno));
		if (i % 32 == self) {
			must0(pthread_create(&child, NULL, nothing, NULL));
			must0(pthread_join(child, NULL));
		}
	}
	return NULL;
}

static void locks(void)
{
	static const struct itimerval every = { { 0, 3000 }, { 0, 3000 } }, never;
	struct sigaction action = { .sa_handler = on_alarm };
	pthread_t thread[THREADS];

	must0(pthread_barrier_init(&barrier, NULL, THREADS));
	must(sem_init(&tokens, 0, 0));
	must(sigaction(SIGALRM, &action, NULL));
	must(setitimer(ITIMER_REAL, &every, NULL));
	for (long i = 0; i < THREADS; i++)
		must0(pthread_create(&thread[i], NULL, disturb, (void *)i));
	for (long i = 0; i < THREADS; i++)
		must0(pthread_join(thread[i], NULL));
	must(setitimer(ITIMER_REAL, &never, NULL));
	check(shared == THREADS * rounds && turn == THREADS * rounds, "%ld and %ld", shared, turn);
	check(load(&interrupted), "no signal");
	printf("%ld rounds of %d threads\n", rounds, THREADS);
}

/* Two threads hand a token to each other, with pauses longer than anybody looks. */
static uint32_t whose;

static void *hand(void *arg)
{
	uint32_t self = (uintptr_t)arg;

	go_away();
	for (long i = 0; i < rounds; i++) {
		double pause = i % 4 ? 0 : 3e-4;

		while (load(&whose) != self)
			futex(&whose, FUTEX_WAIT_PRIVATE, !self, NULL, NULL, 0);
		for (double end = now() + pause; now() < end;)
			;
		store(&whose, !self);
		check(futex(&whose, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0, "wake");
	}
	return NULL;
}

static void handover(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, hand, (void *)1));
	hand((void *)0);
	must0(pthread_join(thread, NULL));
	printf("%ld times there and back\n", rounds);
}

int main(int argc, char **argv)
{
	rounds = argument(argc, argv, 1, rounds);
	arguments();
	handover();
	waiters_at_home();
	restarted();
	locks();
	shared = turn = 0;
	moved();	/* last: it ends the account of who waits */
	locks();
	return 0;
}
