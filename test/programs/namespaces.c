// SPDX-License-Identifier: GPL-2.0
/*
 * namespaces: a thread enters namespaces of every kind, another root and back,
 * while a sibling spins away; both see what they see natively, and threads go on
 * being away in all of it.
 */
#include "where.h"
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static int turning, asked;
static char siblings_name[65];

static void *sibling(void *arg)
{
	struct utsname u;

	go_away();
	store(&turning, 1);
	spin_until(load(&asked));
	require_away(is_away(), 1);
	must(uname(&u));
	memcpy(siblings_name, u.nodename, sizeof(siblings_name));
	store(&turning, 2);
	return arg;
}

static const char *hostname(void)
{
	static struct utsname u;

	must(uname(&u));
	return u.nodename;
}

static void names(void)
{
	char before[65];
	pthread_t thread;
	int fd;

	strcpy(before, hostname());
	fd = must(open("/proc/thread-self/ns/uts", O_RDONLY));
	must0(pthread_create(&thread, NULL, sibling, NULL));
	spin_until(load(&turning));
	go_away();
	must(unshare(CLONE_NEWUTS));
	must(sethostname("away", 4));
	go_away();
	check(!strcmp(hostname(), "away"), "the name is %s", hostname());
	store(&asked, 1);
	must0(pthread_join(thread, NULL));
	check(!strcmp(siblings_name, before), "the sibling's name is %s, not %s", siblings_name, before);
	go_away();
	must(setns(fd, CLONE_NEWUTS));
	check(!strcmp(hostname(), before), "the name is %s", hostname());
	printf("uts: its own, and back\n");
}

/* Runs a function in a child, which begins away. */
static void child(const char *name, int (*body)(void))
{
	int status;
	pid_t pid = must(fork());

	if (!pid) {
		go_away();
		_exit(body());
	}
	must(waitpid(pid, &status, 0));
	check(WIFEXITED(status), "%s: status %#x", name, status);
	printf("%s: %d\n", name, WEXITSTATUS(status));
}

static int answer(int wrong)
{
	go_away();
	require_away(is_away(), 1);
	return wrong;
}

static int pid_body(void)
{
	int status;
	pid_t pid;

	must(unshare(CLONE_NEWPID));
	pid = must(fork());
	if (!pid) {
		go_away();
		_exit(getpid() == 1 && getppid() == 0 ? 11 : 1);
	}
	must(waitpid(pid, &status, 0));
	return answer(WEXITSTATUS(status));
}

static int user_body(void)
{
	must(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	go_away();
	return answer(getuid() == 65534 && !mount("none", "/proc", "tmpfs", 0, NULL));
}

static int net_body(void)
{
	must(unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP));
	return answer(access("/sys/class/net", F_OK) ? 1 : 12);
}

static int time_body(void)
{
	int fd, status;
	pid_t pid;

	if (unshare(CLONE_NEWTIME))
		return errno;
	fd = must(open("/proc/self/timens_offsets", O_WRONLY));
	must(write(fd, "monotonic 864000 0", 18));
	pid = must(fork());
	if (!pid) {
		struct timespec t;

		go_away();
		must(clock_gettime(CLOCK_MONOTONIC, &t));	/* by the vDSO, whose page is the namespace's */
		_exit(t.tv_sec > 864000 ? 13 : 1);
	}
	must(waitpid(pid, &status, 0));
	return answer(WEXITSTATUS(status));
}

static void private_tree(const char *where)
{
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("none", where, "tmpfs", 0, NULL));
	must(chdir(where));
	must(mkdir("old", 0755));
	must(close(must(open("mark", O_CREAT | O_WRONLY, 0644))));
}

static int chroot_body(void)
{
	private_tree("/mnt");
	must(chroot("."));
	go_away();
	return answer(access("/mark", F_OK) ? 1 : 14);
}

static int pivot_body(void)
{
	private_tree("/mnt");
	must(syscall(SYS_pivot_root, ".", "old"));
	go_away();
	must(chdir("/"));
	check(!access("/mark", F_OK) && !access("/old/proc", F_OK), "not there");
	must(umount2("/old", MNT_DETACH));
	return answer(access("/old/proc", F_OK) ? 15 : 1);
}

int main(void)
{
	names();
	child("pid", pid_body);
	child("user and mount", user_body);
	child("net, ipc, cgroup", net_body);
	child("time", time_body);
	child("chroot", chroot_body);
	child("pivot_root", pivot_body);
	return 0;
}
