/* SPDX-License-Identifier: MIT */
/*
 * openmp: tasks of OpenMP 4.5, as in its examples
 * (https://www.openmp.org/wp-content/uploads/openmp-examples-5.0.0.pdf, chapter 4). Loops need
 * none, and are parallel regions of their own; trees do. There is no way in from foreign threads, and no waiting.
 */
#include "forkjoin/integrate.h"
#include "forkjoin/leaf.h"
#include "forkjoin/loop.h"
#include "forkjoin/matmul.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/sort.h"
#include "forkjoin/uts.h"
#include "problems.h"
#include "submit/post.h"

#include <errno.h>
#include <stdlib.h>

static long fib(long n)
{
	long left, right;

	if (n < 2)
		return n;
#pragma omp task shared(left)
	left = fib(n - 1);
	right = fib(n - 2);
#pragma omp taskwait
	return left + right;
}

static uint64_t fib_bench(struct bench_run *run)
{
	long result;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	result = fib(run->size);
	return (uint64_t)result;
}

static long nqueens(struct board b, int row, int n)
{
	long sum = 0, count[QUEENS_MAX] = { 0 };

	if (row == n)
		return 1;
	for (int column = 0; column < n; column++)
		if (safe(&b, row, column)) {
#pragma omp task shared(count)
			count[column] = nqueens(placed(b, row, column), row + 1, n);
		}
#pragma omp taskwait
	for (int column = 0; column < n; column++)
		sum += count[column];
	return sum;
}

static uint64_t nqueens_bench(struct bench_run *run)
{
	struct board empty = { 0 };
	long result;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	result = nqueens(empty, 0, (int)run->size);
	return (uint64_t)result;
}

static double integrate(double x1, double y1, double x2, double y2, double area)
{
	struct halves h = halve(x1, y1, x2, y2);
	double left, right;

	if (close_enough(h, area))
		return h.left + h.right;
#pragma omp task shared(left)
	left = integrate(x1, y1, h.x, h.y, h.left);
	right = integrate(h.x, h.y, x2, y2, h.right);
#pragma omp taskwait
	return left + right;
}

static uint64_t integrate_bench(struct bench_run *run)
{
	double n = (double)run->size, area;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	area = integrate(0, 0, n, height(n), 0);
	return whole(area);
}

static uint64_t skynet(uint64_t number, uint64_t leaves)
{
	uint64_t sum = 0, child[10];

	if (leaves == 1)
		return number;
	leaves /= 10;
	for (uint64_t i = 0; i < 10; i++) {
#pragma omp task shared(child)
		child[i] = skynet(number + i * leaves, leaves);
	}
#pragma omp taskwait
	for (int i = 0; i < 10; i++)
		sum += child[i];
	return sum;
}

static uint64_t skynet_bench(struct bench_run *run)
{
	uint64_t sum;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	sum = skynet(0, (uint64_t)run->size);
	return sum;
}

static uint64_t uts(struct node n, long tree)
{
	int children = uts_children(tree, &n);
	uint64_t nodes = 1;

	if (children > 0) {
		uint64_t below[children], *counts = below;

		for (int i = 0; i < children; i++) {
			struct node child = uts_child(&n, i);
#pragma omp task
			counts[i] = uts(child, tree);
		}
#pragma omp taskwait
		for (int i = 0; i < children; i++)
			nodes += below[i];
	}
	return nodes;
}

static uint64_t uts_bench(struct bench_run *run)
{
	uint64_t nodes;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	nodes = uts(uts_root(run->size), run->size);
	return nodes;
}

static void matmul(struct blocks q, long size, long n)
{
	long h = size / 2;

	if (size == MATMUL_LEAF) {
		matmul_leaf(q, n);
		return;
	}
	for (int k = 0; k < 2; k++) {
#pragma omp task
		matmul(quadrant(q, 1, 1, k, h, n), h, n);
#pragma omp task
		matmul(quadrant(q, 1, 0, k, h, n), h, n);
#pragma omp task
		matmul(quadrant(q, 0, 1, k, h, n), h, n);
		matmul(quadrant(q, 0, 0, k, h, n), h, n);
#pragma omp taskwait
	}
}

static uint64_t matmul_bench(struct bench_run *run)
{
	struct blocks all = { matmul_c, matmul_a, matmul_b };

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	matmul(all, run->size, run->size);
	return 0;
}

static void sort(int *v, int *spare, size_t n)
{
	if (n <= SORT_LEAF) {
		sort_leaf(v, n);
		return;
	}
#pragma omp task
	sort(v, spare, n / 2);
	sort(v + n / 2, spare + n / 2, n - n / 2);
#pragma omp taskwait
	sort_merge(v, spare, n);
}

static uint64_t sort_bench(struct bench_run *run)
{
#pragma omp parallel num_threads(run->workers)
#pragma omp single
	sort(sort_data, sort_spare, (size_t)run->size);
	return 0;
}

/* ---- children behind a long leaf ------------------------------------------------------------ */

static uint64_t leaf_bench(struct bench_run *run)
{
	uint64_t n = (uint64_t)run->size, sum = 0, *child = calloc(n, sizeof(*child));

	if (!child)
		bench_fail("no memory", ENOMEM);
#pragma omp parallel num_threads(run->workers)
#pragma omp single
	{
		for (uint64_t i = 0; i < n; i++) {
#pragma omp task
			child[i] = leaf_child(i);
		}
		sum = leaf_long(n);
#pragma omp taskwait
	}
	for (uint64_t i = 0; i < n; i++)
		sum += child[i];
	free(child);
	return sum;
}

/* ---- loops ---------------------------------------------------------------------------------- */

static uint64_t loop_bench(struct bench_run *run)
{
	for (long i = 0; i < run->size; i++) {
#pragma omp parallel for num_threads(run->workers)
		for (size_t j = 0; j < LOOP_LENGTH; j++)
			loop_cheap(j, j + 1);
	}
	return 0;
}

static uint64_t uneven_bench(struct bench_run *run)
{
#pragma omp parallel for num_threads(run->workers) schedule(dynamic)
	for (size_t i = 0; i < (size_t)run->size; i++)
		loop_uneven(i, i + 1);
	return 0;
}

/* ---- flat loads ----------------------------------------------------------------------------- */

static uint64_t fork_many(long size)
{
	static uint64_t result[FLAT_IN_FLIGHT];
	uint64_t sum = 0;

	for (long from = 0, n; from < size; from += n) {
		n = size - from < FLAT_IN_FLIGHT ? size - from : FLAT_IN_FLIGHT;
		for (long i = 0; i < n; i++) {
#pragma omp task
			result[i] = (uint64_t)(from + i);
		}
#pragma omp taskwait
		for (long i = 0; i < n; i++)
			sum += result[i];
	}
	return sum;
}

static uint64_t flat_fork(struct bench_run *run)
{
	uint64_t sum;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
	sum = fork_many(run->size);
	return sum;
}

static uint64_t flat_submit(struct bench_run *run)
{
#pragma omp parallel num_threads(run->workers)
#pragma omp single
#pragma omp taskgroup
	for (long i = 0; i < run->size; i++) {
#pragma omp task
		tally_add((uint64_t)i);
	}
	return tally_wait((uint64_t)run->size); /* done already: this only adds up */
}

static bool start(unsigned workers)
{
	(void)workers; /* each parallel region says it; its threads are kept between regions */
	return true;
}

static void stop(void)
{
}

int main(int argc, char **argv)
{
	static const struct bench_entry benches[] = {
		{ "fib", fib_bench, 0 },
		{ "nqueens", nqueens_bench, 0 },
		{ "integrate", integrate_bench, 0 },
		{ "skynet", skynet_bench, 0 },
		{ "uts", uts_bench, 0 },
		{ "matmul", matmul_bench, 0 },
		{ "sort", sort_bench, 0 },
		{ "leaf", leaf_bench, 0 },
		{ "loop", loop_bench, 0 },
		{ "uneven", uneven_bench, 0 },
		{ "flat-fork", flat_fork, 0 },
		{ "flat-submit", flat_submit, 0 },
		{ NULL, NULL, 0 },
	};
	static const struct executor openmp = { "openmp", HUNDREDS_OF_NANOSECONDS,
		                                false,    start,
		                                stop,     benches };

	/* Tasks run nested on a waiter's stack. Read before the first region. */
	setenv("OMP_STACKSIZE", "64M", 0);
	return bench_main(&openmp, argc, argv);
}
