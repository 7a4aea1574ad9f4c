/* SPDX-License-Identifier: GPL-2.0 */
/* The time-stamp counter. <x86intrin.h> has it too, and two megabytes more. */
#ifndef TSC_H
#define TSC_H

static inline unsigned long read_tsc(void)
{
	unsigned int low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (unsigned long)high << 32 | low;
}

#endif
