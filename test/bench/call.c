// SPDX-License-Identifier: GPL-2.0
/*
 * call NAME [batches [calls]]: the time of one system call, made directly: no C
 * library, no vDSO. Its answer is checked each time.
 */
#include "bench.h"
#include <sys/syscall.h>
#include <unistd.h>

static inline long raw(long number, void *a, void *b)
{
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(NULL)
		     : "rcx", "r11", "memory");
	return result;
}

static struct timespec last, when;
static unsigned int cpu;
static long want;

static int same(long result)
{
	return result == want;
}

static int later(long result)
{
	int ok = !result && (when.tv_sec > last.tv_sec ||
			     (when.tv_sec == last.tv_sec && when.tv_nsec >= last.tv_nsec));

	last = when;
	return ok;
}

static int a_cpu(long result)
{
	return !result && cpu < 4096;
}

static const struct call {
	const char *name;
	long number;
	void *a, *b;
	int (*right)(long result);
} calls[] = {
	{ "getppid", SYS_getppid, NULL, NULL, same },
	{ "getpid", SYS_getpid, NULL, NULL, same },
	{ "sched_yield", SYS_sched_yield, NULL, NULL, same },
	{ "clock_gettime", SYS_clock_gettime, (void *)CLOCK_MONOTONIC, &when, later },
	{ "getcpu", SYS_getcpu, &cpu, NULL, a_cpu },
	{ .name = NULL },
};

static const struct call *find(const char *name)
{
	for (const struct call *c = calls; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	fail("no call \"%s\"", name);
}

int main(int argc, char **argv)
{
	const struct call *call = find(argc > 1 ? argv[1] : "getppid");
	long batches = argument(argc, argv, 2, 20);
	long n = argument(argc, argv, 3, 100);
	static struct seen seen;
	double spent = 0;

	check(batches > 0 && n > 0, "at least one batch of one call");
	want = raw(call->number, call->a, call->b);
	go_away();	/* the policy may keep the thread at home soon */
	see(&seen);
	for (long b = 0; b < batches; b++) {
		double start = now();

		for (long i = 0; i < n; i++) {
			long result = raw(call->number, call->a, call->b);

			check(call->right(result), "%s answered %ld", call->name, result);
		}
		spent += now() - start;
		see(&seen);
	}
	print_time(spent, batches * n);
	print_seen(&seen);
	return 0;
}
