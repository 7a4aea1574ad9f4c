// SPDX-License-Identifier: GPL-2.0
/*
 * together PREFIX [--] CMD [ARG]... [-- CMD [ARG]...]...: starts all commands, one after
 * the other, and waits for all. Prints the time from before the first fork until the
 * last has ended, in cycles of the time-stamp counter. Their outputs go to files
 * PREFIX0, PREFIX1, ...
 *
 * Environment: CHILD_PRELOAD  libraries that the commands get by LD_PRELOAD
 */
#include "../../bench/bench.h"
#include "tsc.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_COMMANDS 16
#define PATH_SIZE 256

static char **commands[MAX_COMMANDS];
static pid_t pids[MAX_COMMANDS];

/* Cuts the arguments at each "--". */
static int split(char **argv)
{
	int n = 0;

	while (*argv) {
		if (!strcmp(*argv, "--")) {
			*argv++ = NULL;
			continue;
		}
		check(n < MAX_COMMANDS, "more than %d commands", MAX_COMMANDS);
		commands[n++] = argv;
		while (*argv && strcmp(*argv, "--"))
			argv++;
	}
	check(n > 0, "usage: together PREFIX CMD [ARG]... [-- CMD [ARG]...]...");
	return n;
}

static void child(char **command, const char *prefix, int i, const char *preload)
{
	char file[PATH_SIZE];

	snprintf(file, sizeof(file), "%s%d", prefix, i);
	must(dup2(must(open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)), STDOUT_FILENO));
	if (preload)
		must(setenv("LD_PRELOAD", preload, 1));
	execvp(command[0], command);
	fail("%s: %s", command[0], strerror(errno));
}

int main(int argc, char **argv)
{
	const char *preload = getenv("CHILD_PRELOAD");
	unsigned long start;
	int n, status;

	check(argc > 2, "usage: together PREFIX CMD [ARG]... [-- CMD [ARG]...]...");
	n = split(argv + 2);
	start = read_tsc();
	for (int i = 0; i < n; i++) {
		pids[i] = must(fork());
		if (!pids[i])
			child(commands[i], argv[1], i, preload);
	}
	for (int i = 0; i < n; i++) {
		must(waitpid(pids[i], &status, 0));
		check(!status, "%s ended with status %#x", commands[i][0], status);
	}
	printf("ops 1\n");
	print_value("cycles", read_tsc() - start);
	return 0;
}
