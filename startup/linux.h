/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LINUX_H
#define LINUX_H

/* Makes a system call. Linux's own result: an error is negative, and errno stays. */
long linux_call(long number, long a, long b, long c, long d, long e, long f);

#endif
