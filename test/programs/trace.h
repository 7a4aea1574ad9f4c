/* SPDX-License-Identifier: GPL-2.0 */
/* A tracer's side. Include after check.h. */
#ifndef TRACE_H
#define TRACE_H

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The memory that tracer and tracee share. */
#define shared_memory(size) ({						\
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); \
	check(shared != MAP_FAILED, "mmap: %s", strerror(errno));	\
	shared;								\
})

/* Waits for any change of a tracee. */
static inline int next_status(pid_t pid)
{
	int status;

	check(must(waitpid(pid, &status, __WALL)) == pid, "waitpid: another one");
	return status;
}

/* Waits until it stops, by this signal, or this value of signal and event. */
#define stops(pid, what) do {						\
	int stops_status = next_status(pid);				\
	check(WIFSTOPPED(stops_status) && stops_status >> 8 == (what),	\
	      "status %#x, not a stop by %#x", stops_status, what);	\
} while (0)

#define EVENT(event)	(SIGTRAP | (event) << 8)

static inline void ends(pid_t pid, int status)
{
	int got = next_status(pid);

	check(got == status, "status %#x, not %#x", got, status);
}

#endif
