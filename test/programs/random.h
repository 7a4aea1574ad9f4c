/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that a seed determines (splitmix64), so that a failure can be repeated. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random64(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Each round has numbers of its own: it can be run alone. */
static inline struct random random_of(uint64_t seed, uint64_t round)
{
	struct random r = { .state = seed ^ round << 32 };

	r.state = random64(&r);
	return r;
}

/* From 0 to n - 1. */
static inline unsigned int below(struct random *r, unsigned int n)
{
	return (random64(r) >> 32) % n;
}

static inline int one_in(struct random *r, unsigned int n)
{
	return !below(r, n);
}

#define one_of(r, list)	((list)[below(r, sizeof(list) / sizeof(*(list)))])

#endif
