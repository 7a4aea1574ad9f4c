// SPDX-License-Identifier: GPL-2.0
/*
 * cpuclocks: what others read of the CPU time of a thread that spins away is up
 * to date at every moment: its clock and that of its process, by a sibling and by
 * another process, getrusage, times, and /proc. A child's is what wait4() says.
 */
#include "where.h"
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	8
#define NAP	0.04	/* seconds a round: a tenth of the time between two looks of home's, and ten ticks */

static pthread_t spinner;
static pid_t spinner_tid;
static int turning;

static double clock_of(clockid_t id)
{
	struct timespec t;

	must(clock_gettime(id, &t));
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static double sibling_clock(void)
{
	clockid_t id;

	must0(pthread_getcpuclockid(spinner, &id));
	return clock_of(id);
}

static double process_clock(void)
{
	return clock_of(CLOCK_PROCESS_CPUTIME_ID);
}

static double usage(void)
{
	struct rusage u;

	must(getrusage(RUSAGE_SELF, &u));
	return u.ru_utime.tv_sec + u.ru_utime.tv_usec * 1e-6 + u.ru_stime.tv_sec +
	       u.ru_stime.tv_usec * 1e-6;
}

static double all_times(void)
{
	struct tms t;

	must(times(&t));
	return (double)(t.tms_utime + t.tms_stime) / sysconf(_SC_CLK_TCK);
}

/* Fields 14 and 15: user and system time in clock ticks. */
static double stat_times(const char *path)
{
	char buffer[1024], *p;
	unsigned long user, system;
	int fd = must(open(path, O_RDONLY));
	ssize_t n = must(read(fd, buffer, sizeof(buffer) - 1));

	must(close(fd));
	buffer[n] = 0;
	p = strrchr(buffer, ')');
	check(p && sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2,
	      "%s: %s", path, buffer);
	return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static double sibling_stat(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", spinner_tid);
	return stat_times(path);
}

static double process_stat(void)
{
	return stat_times("/proc/self/stat");
}

/* Another process reads the clock. */
static double clock_by_child(void)
{
	double t;
	int fd[2];
	pid_t parent = getpid(), child;

	must(pipe(fd));
	child = must(fork());
	if (!child) {
		clockid_t id;

		must0(clock_getcpuclockid(parent, &id));
		t = clock_of(id);
		_exit(write(fd[1], &t, sizeof(t)) != sizeof(t));
	}
	check(read(fd[0], &t, sizeof(t)) == sizeof(t), "the child says nothing");
	must(waitpid(child, NULL, 0));
	must(close(fd[0]));
	must(close(fd[1]));
	return t;
}

static const struct clock {
	const char *name;
	double (*read)(void);
	double grain;
} clocks[] = {
	{ "a sibling's clock", sibling_clock, 0.004 },
	{ "the process's clock", process_clock, 0.004 },
	{ "the process's clock, by a child", clock_by_child, 0.004 },
	{ "getrusage(RUSAGE_SELF)", usage, 0.004 },
	{ "times()", all_times, 0.011 },
	{ "/proc/self/task/*/stat", sibling_stat, 0.011 },
	{ "/proc/self/stat", process_stat, 0.011 },
};

static void *spin(void *arg)
{
	(void)arg;
	spinner_tid = gettid();
	go_away();
	for (;;)
		store(&turning, anywhere || is_away());
	return NULL;
}

static void nap(double seconds)
{
	struct timespec t = { 0, seconds * 1e9 };

	must(nanosleep(&t, NULL));
}

/*
 * In every round the clock must have moved on by half of what passed, less its
 * grain. A thread that comes home in between loses time to others there, as any
 * thread does natively: most rounds must do.
 */
static void follow(const struct clock *c)
{
	int good = 0;

	for (int i = 0; i < ROUNDS; i++) {
		double cpu = c->read(), real = now();

		nap(NAP);
		real = now() - real;
		cpu = c->read() - cpu;
		good += cpu >= real / 2 - c->grain;
		check(cpu >= 0, "%s runs backwards: %f", c->name, cpu);
	}
	check(good >= ROUNDS * 3 / 4, "%s: up to date in %d of %d rounds", c->name, good, ROUNDS);
	printf("%s: up to date\n", c->name);
}

static void waited_for(void)
{
	struct rusage u;
	double start, used;
	pid_t child = must(fork());

	if (!child) {
		go_away();
		for (start = now(); now() < start + 0.3;)
			;
		_exit(0);
	}
	must(wait4(child, NULL, 0, &u));
	used = u.ru_utime.tv_sec + u.ru_utime.tv_usec * 1e-6 + u.ru_stime.tv_sec + u.ru_stime.tv_usec * 1e-6;
	check(used > 0.05 && used < 5, "wait4: %f s", used);
	printf("wait4(): complete\n");
}

int main(void)
{
	go_away();
	waited_for();
	must0(pthread_create(&spinner, NULL, spin, NULL));
	spin_until(load(&turning));
	for (unsigned int i = 0; i < sizeof(clocks) / sizeof(*clocks); i++)
		follow(&clocks[i]);
	return 0;
}
