/* SPDX-License-Identifier: MIT */
/*
 * integrate: the area under x^3 + x from 0 to n by adaptive trapezoids: halve the interval until
 * halving no longer changes the area. An unbalanced tree of tiny tasks with floating-point
 * arguments.
 */
#ifndef BENCH_INTEGRATE_H
#define BENCH_INTEGRATE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline double height(double x)
{
	return (x * x + 1.0) * x;
}

struct halves {
	double x, y;        /* the middle */
	double left, right; /* areas */
};

static inline struct halves halve(double x1, double y1, double x2, double y2)
{
	double half = (x2 - x1) / 2, x = x1 + half, y = height(x);
	struct halves h = { x, y, (y1 + y) / 2 * half, (y + y2) / 2 * half };

	return h;
}

static inline bool close_enough(struct halves h, double area)
{
	return fabs(h.left + h.right - area) < 1e-9;
}

/* The exact area, n^4 / 4 + n^2 / 2, is a whole number or a half, and the error far below one. */
static inline uint64_t whole(double area)
{
	return (uint64_t)llround(area);
}

#endif
