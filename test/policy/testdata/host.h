/* SPDX-License-Identifier: GPL-2.0 */
/* What module/rule.c needs of Linux, on the build machine. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t u64;
typedef int64_t s64;
typedef uint32_t u32;

#define min_t(type, a, b)		((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)		((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define clamp_t(type, value, low, high)	min_t(type, max_t(type, value, low), high)

static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

#endif
