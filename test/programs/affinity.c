// SPDX-License-Identifier: GPL-2.0
/*
 * affinity CPUS: what sched_getaffinity() shows, sched_setaffinity() accepts and the
 * thread obeys, for itself, for another thread and for a child; and the C library
 * counts the same processors. CPUS is how many there must be. A CPU is told by its
 * APIC id, read on it.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRANDS	300	/* enough of them keep a thread at home whose mask leaves a choice */

static cpu_set_t all;
static unsigned int apic_of[CPU_SETSIZE];
static unsigned int spinner_at = -1;	/* APIC id */
static int spinner_tid, spinner_ends;

static cpu_set_t only(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

static cpu_set_t mask_of(pid_t tid)
{
	cpu_set_t set;

	must(sched_getaffinity(tid, sizeof(set), &set));
	return set;
}

/* Asked for one CPU, the thread is there before its next instruction and stays there. */
static void bind_here(int cpu)
{
	cpu_set_t set = only(cpu), now;

	must(sched_setaffinity(0, sizeof(set), &set));
	check(sched_getcpu() == cpu, "bound to CPU %d, but it runs on %d", cpu, sched_getcpu());
	now = mask_of(0);
	check(CPU_EQUAL(&now, &set), "the mask that was set for CPU %d is not the one that is shown", cpu);
	apic_of[cpu] = apic_id();
	for (int i = 0; i < ERRANDS; i++) {
		getppid();
		check(apic_id() == apic_of[cpu], "bound to CPU %d, but it left after %d calls", cpu, i);
	}
}

static void *spin(void *arg)
{
	store(&spinner_tid, gettid());
	while (!load(&spinner_ends))
		store(&spinner_at, apic_id());
	return arg;
}

/* Binds another thread, which makes no call. */
static void bind_other(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, spin, NULL));
	spin_until(load(&spinner_tid));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t set = only(cpu), now;

		if (!CPU_ISSET(cpu, &all))
			continue;
		must(sched_setaffinity(spinner_tid, sizeof(set), &set));
		now = mask_of(spinner_tid);
		check(CPU_EQUAL(&now, &set), "another thread's mask for CPU %d is not shown", cpu);
		while (load(&spinner_at) != apic_of[cpu])
			sched_yield();
	}
	store(&spinner_ends, 1);
	must0(pthread_join(thread, NULL));
}

static void bind_child(int cpu)
{
	cpu_set_t set = only(cpu);
	int status;
	pid_t child;

	must(sched_setaffinity(0, sizeof(set), &set));
	child = must(fork());
	if (!child) {
		cpu_set_t now = mask_of(0);

		check(CPU_EQUAL(&now, &set), "a child does not inherit its parent's mask");
		check(apic_id() == apic_of[cpu], "a child is not on its parent's CPU");
		_exit(0);
	}
	must(waitpid(child, &status, 0));
	check(!status, "the child failed");
}

static void refused(const cpu_set_t *set, pid_t pid, int error)
{
	check(sched_setaffinity(pid, sizeof(*set), set) == -1 && errno == error,
	      "a mask was not refused with error %d", error);
}

int main(int argc, char **argv)
{
	long cpus = argument(argc, argv, 1, 1);
	int last = -1, homes = 0;
	cpu_set_t set, now;

	all = mask_of(0);
	check(CPU_COUNT(&all) == cpus, "%d CPUs are shown, not %ld", CPU_COUNT(&all), cpus);
	check(sysconf(_SC_NPROCESSORS_ONLN) == cpus, "the C library counts %ld processors, not %ld",
	      sysconf(_SC_NPROCESSORS_ONLN), cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		bind_here(cpu);
		for (int other = 0; other < cpu; other++)
			check(!CPU_ISSET(other, &all) || apic_of[other] != apic_of[cpu],
			      "CPUs %d and %d are the same one", other, cpu);
		homes += is_home_apic(apic_of[cpu]);
		last = cpu;
	}
	check(homes && (anywhere || homes < cpus), "%d of %ld CPUs are Linux's own", homes, cpus);
	must(sched_setaffinity(0, sizeof(all), &all));
	now = mask_of(0);
	check(CPU_EQUAL(&now, &all), "the whole mask, set again, is another one");
	bind_other();
	bind_child(last);
	CPU_ZERO(&set);
	refused(&set, 0, EINVAL);
	CPU_SET(CPU_SETSIZE - 1, &set);
	refused(&set, 0, EINVAL);
	now = mask_of(0);
	check(CPU_ISSET(last, &now) && CPU_COUNT(&now) == 1, "a refused mask changed the old one");
	refused(&all, 0x3ffffff, ESRCH);
	printf("bound to every CPU shown\n");
	return 0;
}
