// SPDX-License-Identifier: GPL-2.0
/*
 * witness.so: preloaded by spawn.c into programs that cannot tell themselves where they
 * are. Counts on which CPU each begins and ends. It says nothing when it cannot: then
 * there are no passes, which is an error of the run.
 */
#include "../programs/where.h"
#include "witness.h"
#include <sys/mman.h>

static struct witness *witness;

static void count(void)
{
	unsigned int id = apic_id();

	if (witness && id < WITNESS_IDS)
		__atomic_add_fetch(&witness->passes[id], 1, __ATOMIC_RELAXED);
}

__attribute__((constructor)) static void begin(void)
{
	const char *fd = getenv(WITNESS_FD);
	int error = errno;
	void *memory;

	if (!fd)
		return;
	memory = mmap(NULL, sizeof(*witness), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0);
	if (memory != MAP_FAILED)
		witness = memory;
	errno = error;
	count();
}

__attribute__((destructor)) static void end(void)
{
	count();
}
