// SPDX-License-Identifier: GPL-2.0
/* fatal HOW: dies away in one of many ways, for the status that its parent sees. */
#include "where.h"
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile int *volatile nowhere = (int *)16;	/* the compiler must not know */

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	struct rlimit none = { 0, 0 };

	must(setrlimit(RLIMIT_CORE, &none));
	printf("about to end by %s\n", how);
	fflush(stdout);
	go_away();
	if (!strcmp(how, "segv"))
		*nowhere = 1;
	if (!strcmp(how, "fpe"))
		asm volatile("divl %%ecx" :: "a"(1), "d"(0), "c"(0) : "cc");
	if (!strcmp(how, "ill"))
		asm volatile("ud2");
	if (!strcmp(how, "trap"))
		asm volatile("int3");
	if (!strcmp(how, "privileged"))
		asm volatile("hlt");
	if (!strcmp(how, "jump"))
		((void (*)(void))0xdead000)();
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	if (!strcmp(how, "term"))
		raise(SIGTERM);
	if (!strcmp(how, "alarm")) {
		alarm(1);
		for (;;)
			__builtin_ia32_pause();
	}
	if (!strcmp(how, "exit"))
		_exit(123);
	fail("no way to die \"%s\"", how);
}
