/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Areas as XSAVE leaves them in its standard format: what is compared of them, and what
 * hostile.c makes of them. Offsets: Intel SDM volume 1, 13.4.
 */
#ifndef XAREA_H
#define XAREA_H

#include "random.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XAREA		16384	/* bytes, enough for all that there is */

/* What is compared. */
struct fpu_seen {
	uint64_t sum;
	uint32_t mxcsr, fcw;
};

/* FNV-1a. */
static uint64_t checksum(const void *p, size_t n, uint64_t sum)
{
	const uint8_t *b = p;

	while (n--)
		sum = (sum ^ *b++) * 0x100000001b3;
	return sum;
}

/* x87, SSE and the upper halves of YMM. */
static struct fpu_seen see_fpu(const uint8_t *area)
{
	static const uint8_t zero[256];
	struct fpu_seen seen;
	uint64_t features;

	seen.mxcsr = *(const uint32_t *)(area + 24);
	seen.fcw = *(const uint16_t *)area;
	memcpy(&features, area + 512, 8);
	seen.sum = checksum(area, 416, 0xcbf29ce484222325);
	seen.sum = checksum(features & 4 ? area + 576 : zero, 256, seen.sum);
	return seen;
}

/* What the C library left in vector registers becomes what does not depend on addresses. */
static void plain_fpu(uint8_t *area)
{
	uint64_t features;

	memcpy(&features, area + 512, 8);
	*(uint32_t *)(area + 24) = 0x1f80;
	memset(area + 160, 0x11, 256);
	if (features & 4)
		memset(area + 576, 0x22, 256);
}

/* An area as XSAVE leaves it, made wrong in some places. */
static void spoil_fpu(struct random *r, uint8_t *area, int in_frame)
{
	uint64_t *header = (void *)(area + 512);
	uint32_t *mxcsr = (void *)(area + 24), *magic = (void *)(area + 464);

	for (int i = 160; i < 416; i += 4)
		*(uint32_t *)(area + i) = random64(r);
	/*
	 * Of x87 only what the processor keeps as it is: what it makes other values to
	 * shows or not, as it happens to have loaded them before a tracer looks.
	 */
	if (one_in(r, 2)) {
		for (int i = 32; i < 160; i++)
			area[i] = i % 16 < 10 ? random64(r) : 0;
	}
	if (one_in(r, 4))
		*(uint16_t *)area = (random64(r) & 0x1f3f) | 0x40;	/* FCW */
	if (one_in(r, 8)) {
		*(uint16_t *)(area + 2) = random64(r) & 0x7f00;	/* FSW */
		area[4] = random64(r);	/* FTW */
	}
	if (one_in(r, 3))
		*mxcsr = random64(r) & 0xffff;
	if (one_in(r, 16))
		*mxcsr = random64(r);
	if (one_in(r, 8))
		header[0] ^= one_in(r, 2) ? random64(r) & 7 : random64(r);
	if (one_in(r, 16))
		header[1 + below(r, 7)] = random64(r);
	if (in_frame && one_in(r, 8))
		magic[below(r, 5)] ^= 1U << below(r, 32);
}

#endif
