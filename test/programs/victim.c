// SPDX-License-Identifier: GPL-2.0
/*
 * victim FILE [threads]: threads spin for others to do things to them. Each has a
 * page of FILE, mapped shared, in which it shows how it gets on and where it is,
 * and by which it is told to do something: it makes a system call only then.
 */
#include "where.h"
#include "check.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_THREADS	16
#define PAGE		4096

enum command { NOTHING, GETPPID, FILTER, PROF, IGNORE_XCPU, FAULTS, GETPID };

/* Mirrored in test/guest/victim_test.go. */
struct page {
	uint64_t turns;
	uint32_t apic;
	uint32_t tid;
	uint32_t command;	/* the thread sets it to NOTHING when done */
	int32_t result;		/* of the command's system call, -errno if it failed */
	uint32_t signals;	/* SIGPROF that arrived here */
	uint32_t homed;		/* under FAULTS, the turn in which it came home last */
	char pad[PAGE - 32];
};

static struct page *pages;
static __thread struct page *own;

static void on_signal(int sig)
{
	(void)sig;
	own->signals++;
}

static int32_t result(long value)
{
	return value < 0 ? -errno : value;
}

/* Every thread of the process finds getppid() and getpid() forbidden at its next one. */
static int32_t filter_all(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
}

/* From now on one page fault every few milliseconds, which Linux serves, and nothing else. */
static void fault_for_ever(void)
{
	size_t size = 1UL << 30;
	volatile char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(m != MAP_FAILED, "mmap: %s", strerror(errno));
	no_huge_pages((void *)m, size);
	store(&own->command, NOTHING);
	for (size_t at = 0; at < size; at += PAGE) {
		m[at] = 1;
		for (double end = now() + 3e-3; now() < end;) {
			uint32_t id = apic_id();

			if (is_home_apic(id) && !is_home_apic(own->apic))
				own->homed = own->turns;
			own->apic = id;
		}
		own->turns++;
	}
}

static void obey(enum command command)
{
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } };

	switch (command) {
	case GETPPID:
		own->result = result(syscall(SYS_getppid));
		break;
	case GETPID:
		own->result = result(syscall(SYS_getpid));
		break;
	case FILTER:
		own->result = filter_all();
		break;
	case PROF:
		own->result = result(setitimer(ITIMER_PROF, &every, NULL));
		break;
	case IGNORE_XCPU:
		own->result = signal(SIGXCPU, SIG_IGN) == SIG_ERR ? -errno : 0;
		break;
	case FAULTS:
		own->result = 0;
		fault_for_ever();
	case NOTHING:
		return;
	}
	store(&own->command, NOTHING);
}

static void *spin(void *arg)
{
	own = arg;
	own->tid = syscall(SYS_gettid);
	go_away();
	for (;;) {
		own->apic = apic_id();
		__atomic_fetch_add(&own->turns, 1, __ATOMIC_RELEASE);
		obey(load(&own->command));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argument(argc, argv, 2, 1);
	pthread_t thread;
	int fd;

	check(argc > 1 && threads >= 1 && threads <= MAX_THREADS, "usage: victim FILE [threads]");
	check(signal(SIGPROF, on_signal) != SIG_ERR, "signal: %s", strerror(errno));
	fd = must(open(argv[1], O_RDWR | O_CREAT, 0644));
	must(ftruncate(fd, threads * PAGE));
	pages = mmap(NULL, threads * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(pages != MAP_FAILED, "mmap: %s", strerror(errno));
	for (long i = 1; i < threads; i++)
		must0(pthread_create(&thread, NULL, spin, &pages[i]));
	spin(&pages[0]);
	return 0;
}
