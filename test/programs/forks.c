// SPDX-License-Identifier: GPL-2.0
/*
 * forks: every way to make a process, each child proving that it is away before
 * anything else: fork, vfork, posix_spawn, exec, clone with threads; and every way
 * to end one whose other threads spin away.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE	(1 << 20)

extern char **environ;
static volatile int global = 5;
static char *self;
static volatile char *volatile nowhere = (char *)8;	/* the compiler must not know */

static int wait_for(pid_t child)
{
	int status;

	must(waitpid(child, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_AWAY)
		exit(EXIT_NOT_AWAY);
	return status;
}

static void exits_with(const char *what, pid_t child, int want)
{
	int status = wait_for(child);

	check(WIFEXITED(status) && WEXITSTATUS(status) == want, "%s: status %x, not exit %d", what,
	      status, want);
	printf("%s: exit %d\n", what, want);
}

static int forked_child(const char *memory)
{
	go_away();
	for (int i = 0; i < SIZE; i += 4096)
		if (memory[i] != 1)
			return 1;
	global = 6;
	return 42;
}

static void by_fork(void)
{
	char *memory = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0));
	pid_t child;

	memset(memory, 1, SIZE);
	child = must(fork());
	if (!child)
		_exit(forked_child(memory));
	memset(memory, 3, SIZE);
	exits_with("fork", child, 42);
	check(global == 5, "the child's write reached the parent");
}

static void by_vfork(void)
{
	pid_t child = vfork();

	if (!child) {
		global = 77;
		_exit(3);
	}
	check(child > 0, "vfork: %s", strerror(errno));
	check(global == 77, "vfork does not share memory");
	exits_with("vfork", child, 3);
	global = 5;
}

static void by_vfork_exec(void)
{
	pid_t child = vfork();

	if (!child) {
		execl(self, self, "child", "21", NULL);
		_exit(1);
	}
	check(child > 0, "vfork: %s", strerror(errno));
	exits_with("vfork and exec", child, 21);
}

static void by_spawn(void)
{
	char *argv[] = { self, "child", "22", NULL };
	pid_t child;

	must0(posix_spawn(&child, self, NULL, NULL, argv, environ));
	exits_with("posix_spawn", child, 22);
}

static void by_shell(void)
{
	pid_t child = must(fork());

	if (!child) {
		execl("/bin/sh", "sh", "-c", "exit $((4 + 5))", NULL);
		_exit(1);
	}
	exits_with("fork and exec of a shell", child, 9);
}

static void by_grandchild(void)
{
	pid_t child = must(fork());

	if (!child) {
		pid_t grandchild = must(fork());

		go_away();
		if (!grandchild) {
			go_away();
			_exit(7);
		}
		_exit(wait_for(grandchild) == 0x700 ? 8 : 1);
	}
	exits_with("grandchild", child, 8);
}

static int threads_away;

static void *__attribute__((noreturn)) spin(void *arg)
{
	(void)arg;
	go_away();
	__atomic_add_fetch(&threads_away, 1, __ATOMIC_ACQ_REL);
	for (;;)
		__builtin_ia32_pause();
}

/* A child whose three threads spin away, ended as `how` says. */
static void __attribute__((noreturn)) crowd(char how)
{
	pthread_t thread;

	threads_away = 0;
	for (int i = 0; i < 3; i++)
		must0(pthread_create(&thread, NULL, spin, NULL));
	while (load(&threads_away) < 3)
		usleep(1000);
	if (how == 'e')
		_exit(11);
	if (how == 'x')
		execl(self, self, "child", "12", NULL);
	if (how == 'k')
		kill(getpid(), SIGTERM);
	if (how == 'f')
		*nowhere = 0;
	pause();
	_exit(1);
}

static void with_siblings(void)
{
	static const struct end {
		char how;
		const char *name;
		int status;
	} ends[] = {
		{ 'e', "exit", 11 << 8 },
		{ 'x', "exec", 12 << 8 },
		{ 'k', "SIGTERM", SIGTERM },
		{ 'f', "a fault", SIGSEGV },
	};

	for (int i = 0; i < 20; i++) {
		const struct end *e = &ends[i % 4];
		pid_t child = must(fork());
		int status;

		if (!child)
			crowd(e->how);
		status = wait_for(child) & ~0x80;	/* core dumped or not */
		check(status == e->status, "%s with spinning siblings: status %x, not %x", e->name,
		      status, e->status);
		if (i < 4)
			printf("%s with spinning siblings\n", e->name);
	}
}

/* A file that is closed is released at once, although its last user goes away spinning. */
static void late_release(void)
{
	bool *end_of_file = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	int fds[2];
	pid_t child;

	must(pipe(fds));
	child = must(fork());
	if (!child) {
		char c;

		close(fds[1]);
		_exit(read(fds[0], &c, 1) == 0 ? (store(end_of_file, true), 0) : 1);
	}
	usleep(10000);	/* only makes it likely that the child reads already */
	close(fds[1]);
	spin_until(load(end_of_file));
	exits_with("end of file after close and a spin", child, 0);
}

static void many(void)
{
	for (int i = 0; i < 50; i++) {
		pid_t child = must(fork());
		int status;

		if (!child)
			_exit(i);
		status = wait_for(child);
		check(status == i << 8, "child %d: status %x", i, status);
	}
	printf("50 children\n");
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 3 && !strcmp(argv[1], "child")) {
		go_away();
		return atoi(argv[2]);
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	go_away();
	by_fork();
	by_vfork();
	by_vfork_exec();
	by_spawn();
	by_shell();
	by_grandchild();
	with_siblings();
	late_release();
	many();
	return 0;
}
