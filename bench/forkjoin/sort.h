/* SPDX-License-Identifier: MIT */
/*
 * sort: pseudo-random ints. An executor whose library sorts uses that; the others run this merge
 * sort, a task for each left half, qsort(3) for the leaves.
 */
#ifndef BENCH_SORT_H
#define BENCH_SORT_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SORT_LEAF = 4096 };

extern int *sort_data, *sort_spare; /* size ints each; problems.c makes them */

static inline int sort_compare(const void *left, const void *right)
{
	int l = *(const int *)left, r = *(const int *)right;

	return (l > r) - (l < r);
}

static inline void sort_leaf(int *v, size_t n)
{
	qsort(v, n, sizeof *v, sort_compare);
}

/* Both halves of v are sorted, the left has n / 2: sort v. spare has room for the left half. */
static inline void sort_merge(int *v, int *spare, size_t n)
{
	size_t left = 0, half = n / 2, right = half, to = 0;

	memcpy(spare, v, half * sizeof *v);
	while (left < half && right < n)
		v[to++] = spare[left] <= v[right] ? spare[left++] : v[right++];
	memcpy(v + to, spare + left, (half - left) * sizeof *v);
}

#endif
