// SPDX-License-Identifier: GPL-2.0
/*
 * share MILLISECONDS GROUP...: how threads share the CPUs for that long.
 *
 * A GROUP is a number of threads and letters: n10: of that nice value, which another
 * thread sets while they are away; c2: bound to that CPU; s: sleeps a millisecond
 * after every small piece of work. All others only compute.
 *
 * The main thread reads all their CPU clocks at the beginning and at the end.
 * Prints a line for each thread: CPU time in microseconds, pieces of work, and
 * the APIC ids it saw meanwhile.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_THREADS	64
#define PIECE		20000	/* steps */

static struct worker {
	pthread_t thread;
	clockid_t clock;
	int tid;
	int nice, cpu, sleeps;
	long pieces, first;
	uint64_t seen;		/* bit: APIC id */
	double begin, end;	/* of its clock, in seconds */
	uint64_t result;
} workers[MAX_THREADS];
static int count;
static int away, measuring, over;

static void piece(struct worker *self)
{
	uint64_t x = self->result;

	for (int k = 0; k < PIECE; k++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	self->result = x;
	store(&self->pieces, self->pieces + 1);
	if (load(&measuring))
		self->seen |= 1UL << (apic_id() & 63);
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

static void *work(void *arg)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct worker *self = arg;

	self->tid = syscall(SYS_gettid);
	if (self->cpu >= 0)
		bind_to(self->cpu);
	go_away();
	__atomic_add_fetch(&away, 1, __ATOMIC_ACQ_REL);
	while (!load(&over)) {
		piece(self);
		if (self->sleeps)
			nanosleep(&moment, NULL);
	}
	return NULL;
}

static double read_clock(const struct worker *w)
{
	struct timespec t;

	must(clock_gettime(w->clock, &t));
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Adds the threads of one argument. */
static void add_group(const char *arg)
{
	struct worker w = { .cpu = -1 };
	char *end;
	long n = strtol(arg, &end, 10);

	while (*end) {
		switch (*end++) {
		case 'n':
			w.nice = strtol(end, &end, 10);
			break;
		case 'c':
			w.cpu = strtol(end, &end, 10);
			break;
		case 's':
			w.sleeps = 1;
			break;
		default:
			fail("group \"%s\"", arg);
		}
	}
	check(n >= 1 && count + n <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	while (n--)
		workers[count++] = w;
}

static void start_all(void)
{
	for (int i = 0; i < count; i++) {
		must0(pthread_create(&workers[i].thread, NULL, work, &workers[i]));
		must0(pthread_getcpuclockid(workers[i].thread, &workers[i].clock));
	}
	while (load(&away) < count)
		usleep(1000);
	for (int i = 0; i < count; i++)
		if (workers[i].nice)
			must(setpriority(PRIO_PROCESS, workers[i].tid, workers[i].nice));
	usleep(600000);		/* a change takes effect within a quarter of a second */
}

int main(int argc, char **argv)
{
	long length = argument(argc, argv, 1, 1000);

	for (int i = 2; i < argc; i++)
		add_group(argv[i]);
	start_all();
	for (int i = 0; i < count; i++) {
		workers[i].begin = read_clock(&workers[i]);
		workers[i].first = load(&workers[i].pieces);
	}
	store(&measuring, 1);
	usleep(length * 1000);
	store(&measuring, 0);
	for (int i = 0; i < count; i++) {
		workers[i].end = read_clock(&workers[i]);
		workers[i].first = load(&workers[i].pieces) - workers[i].first;
	}
	store(&over, 1);
	for (int i = 0; i < count; i++)
		must0(pthread_join(workers[i].thread, NULL));
	for (int i = 0; i < count; i++) {
		printf("%.0f %ld", (workers[i].end - workers[i].begin) * 1e6, workers[i].first);
		for (int id = 0; id < 64; id++)
			if (workers[i].seen >> id & 1)
				printf(" %d", id);
		printf("\n");
	}
	return 0;
}
