/* SPDX-License-Identifier: MIT */
/*
 * matmul: C += A B for n x n matrices (n a power of two), by quadrants: four tasks for the first
 * half of the inner dimension, then four for the second. The numbers are small and whole, so that
 * floats hold every sum exactly. What joins the last fork first forks the last quadrant first: so
 * memory is read forwards, as by plain recursion, which backwards takes 7 % longer.
 */
#ifndef BENCH_MATMUL_H
#define BENCH_MATMUL_H

enum { MATMUL_LEAF = 32, MATMUL_MAX = 2048 };

extern float *matmul_a, *matmul_b, *matmul_c; /* row after row; problems.c makes them */

/* Three blocks of three matrices of n columns. */
struct blocks {
	float *c;
	const float *a, *b;
};

/*
 * Block (i, j) of C with the blocks (i, k) of A and (k, j) of B that one step adds to it; h is half
 * a block.
 */
static inline struct blocks quadrant(struct blocks q, int i, int j, int k, long h, long n)
{
	q.c += i * h * n + j * h;
	q.a += i * h * n + k * h;
	q.b += k * h * n + j * h;
	return q;
}

/* Add the product of one block of MATMUL_LEAF x MATMUL_LEAF: the same code for every executor. */
#ifdef __cplusplus
extern "C"
#endif
	void
	matmul_leaf(struct blocks q, long n);

#endif
