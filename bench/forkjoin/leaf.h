/* SPDX-License-Identifier: MIT */
/*
 * leaf: a task forks children and then computes for as long as all of them together, without another
 * fork. Whoever is idle can have the children only if they were put within his reach before.
 */
#ifndef BENCH_LEAF_H
#define BENCH_LEAF_H

#include <stdint.h>

enum { LEAF_ROUNDS = 10000 }; /* of a child: some 15 microseconds */

/* Marsaglia's xorshift: each round needs the one before. */
static inline uint64_t leaf_compute(uint64_t seed, uint64_t rounds)
{
	uint64_t x = seed + 1;

	for (uint64_t i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

static inline uint64_t leaf_child(uint64_t number)
{
	return leaf_compute(number, LEAF_ROUNDS);
}

static inline uint64_t leaf_long(uint64_t children)
{
	return leaf_compute(children, children * LEAF_ROUNDS);
}

#endif
