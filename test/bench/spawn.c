// SPDX-License-Identifier: GPL-2.0
/*
 * spawn [-o FILE] COUNT CMD [ARG]...: forks and executes CMD, COUNT times, and waits
 * for each. One operation is from the fork to the wait's return. CMD's output goes to
 * FILE, or nowhere.
 *
 * Environment: CHILD_PRELOAD  libraries that CMD gets by LD_PRELOAD, witness.so among
 *                             them, which tells where CMD was
 */
#include "bench.h"
#include "witness.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct witness *make_witness(void)
{
	int fd = must(memfd_create("witness", 0));
	char text[16];

	must(ftruncate(fd, sizeof(struct witness)));
	snprintf(text, sizeof(text), "%d", fd);
	must(setenv(WITNESS_FD, text, 1));
	return must(mmap(NULL, sizeof(struct witness), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static void child(char **command, int out)
{
	must(dup2(out, STDOUT_FILENO));
	execvp(command[0], command);
	fail("%s: %s", command[0], strerror(errno));
}

static void run(char **command, int out)
{
	pid_t pid;
	int status;

	must(ftruncate(out, 0));
	must(lseek(out, 0, SEEK_SET));
	pid = must(fork());
	if (!pid)
		child(command, out);
	must(waitpid(pid, &status, 0));
	check(!status, "%s ended with status %#x", command[0], status);
}

int main(int argc, char **argv)
{
	struct witness *witness = make_witness();
	const char *preload = getenv("CHILD_PRELOAD");
	const char *file = NULL;
	struct seen seen = { 0 };
	double start, spent = 0;
	int out;
	long n;

	if (argc > 2 && !strcmp(argv[1], "-o")) {
		file = argv[2];
		argc -= 2;
		argv += 2;
	}
	check(argc > 2, "usage: spawn [-o FILE] COUNT CMD [ARG]...");
	n = argument(argc, argv, 1, 1);
	check(n > 0, "at least once");
	out = file ? must(open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) : must(memfd_create("out", MFD_CLOEXEC));
	if (preload)
		must(setenv("LD_PRELOAD", preload, 1));
	for (long i = 0; i < n; i++) {
		start = now();
		run(argv + 2, out);
		spent += now() - start;
	}
	print_time(spent, n);
	for (unsigned int id = 0; id < WITNESS_IDS; id++)
		if (witness->passes[id])
			see_id(&seen, id, witness->passes[id]);
	print_seen(&seen);
	return 0;
}
