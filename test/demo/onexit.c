// SPDX-License-Identifier: GPL-2.0
/*
 * A library to preload: every process that ends adds its name and the APIC id
 * of the CPU it is on then, as CPUID says, to the file that ONEXIT names.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../programs/where.h"

__attribute__((destructor)) static void report(void)
{
	const char *file = getenv("ONEXIT");
	char text[64];
	int fd, n;

	if (!file)
		return;
	n = snprintf(text, sizeof(text), "%s:%u\n", program_invocation_short_name, apic_id());
	fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, text, n) != n)
		perror(file);
	close(fd);
}
