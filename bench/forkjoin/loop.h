/* SPDX-License-Identifier: MIT */
/*
 * loop: many loops, one after the other, each with 1,000 iterations that cost next to nothing: what
 * it takes to begin a loop and to end it. uneven: one loop, in which iteration i takes i steps. An
 * executor runs them in its own form of a loop over a range.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stddef.h>
#include <stdint.h>

enum { LOOP_LENGTH = 1000 };

extern uint32_t *loop_data; /* an element for each iteration; problems.c makes it */

static inline void loop_cheap(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		loop_data[i] += (uint32_t)i;
}

static inline uint32_t loop_steps(size_t i)
{
	uint32_t x = (uint32_t)i;

	for (size_t j = 0; j < i; j++)
		x = x * 1664525 + 1013904223;
	return x;
}

static inline void loop_uneven(size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		loop_data[i] = loop_steps(i);
}

#endif
