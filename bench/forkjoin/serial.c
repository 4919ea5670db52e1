/* SPDX-License-Identifier: MIT */
/*
 * The baseline: the same algorithms as plain C, without a runtime. What a fork costs is the
 * difference to this.
 */
#include "forkjoin/integrate.h"
#include "forkjoin/leaf.h"
#include "forkjoin/loop.h"
#include "forkjoin/matmul.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/sort.h"
#include "forkjoin/uts.h"
#include "harness.h"

/* noinline: gcc would inline fib into itself several levels deep, which measures gcc. */
static __attribute__((noinline)) long fib(long n)
{
	long left;

	if (n < 2)
		return n;
	left = fib(n - 1);
	return left + fib(n - 2);
}

static uint64_t fib_bench(struct bench_run *run)
{
	return (uint64_t)fib(run->size);
}

static long nqueens(struct board b, int row, int n)
{
	long sum = 0;

	if (row == n)
		return 1;
	for (int column = 0; column < n; column++)
		if (safe(&b, row, column))
			sum += nqueens(placed(b, row, column), row + 1, n);
	return sum;
}

static uint64_t nqueens_bench(struct bench_run *run)
{
	struct board empty = { 0 };

	return (uint64_t)nqueens(empty, 0, (int)run->size);
}

static double integrate(double x1, double y1, double x2, double y2, double area)
{
	struct halves h = halve(x1, y1, x2, y2);
	double right;

	if (close_enough(h, area))
		return h.left + h.right;
	right = integrate(h.x, h.y, x2, y2, h.right);
	return integrate(x1, y1, h.x, h.y, h.left) + right;
}

static uint64_t integrate_bench(struct bench_run *run)
{
	double n = (double)run->size;

	return whole(integrate(0, 0, n, height(n), 0));
}

static uint64_t skynet(uint64_t number, uint64_t leaves)
{
	uint64_t sum = 0;

	if (leaves == 1)
		return number;
	leaves /= 10;
	for (uint64_t i = 0; i < 10; i++)
		sum += skynet(number + i * leaves, leaves);
	return sum;
}

static uint64_t skynet_bench(struct bench_run *run)
{
	return skynet(0, (uint64_t)run->size);
}

static uint64_t uts(struct node n, long tree)
{
	int children = uts_children(tree, &n);
	uint64_t nodes = 1;

	for (int i = 0; i < children; i++)
		nodes += uts(uts_child(&n, i), tree);
	return nodes;
}

static uint64_t uts_bench(struct bench_run *run)
{
	return uts(uts_root(run->size), run->size);
}

static void matmul(struct blocks q, long size, long n)
{
	long h = size / 2;

	if (size == MATMUL_LEAF) {
		matmul_leaf(q, n);
		return;
	}
	for (int k = 0; k < 2; k++) {
		matmul(quadrant(q, 0, 0, k, h, n), h, n);
		matmul(quadrant(q, 0, 1, k, h, n), h, n);
		matmul(quadrant(q, 1, 0, k, h, n), h, n);
		matmul(quadrant(q, 1, 1, k, h, n), h, n);
	}
}

static uint64_t matmul_bench(struct bench_run *run)
{
	struct blocks all = { matmul_c, matmul_a, matmul_b };

	matmul(all, run->size, run->size);
	return 0;
}

/* qsort(3), which everybody has; the parallel ones are to be held against it. */
static uint64_t sort_bench(struct bench_run *run)
{
	sort_leaf(sort_data, (size_t)run->size);
	return 0;
}

/* noinline: or many loops become one. */
static __attribute__((noinline)) void cheap(size_t begin, size_t end)
{
	loop_cheap(begin, end);
}

static uint64_t loop_bench(struct bench_run *run)
{
	for (long i = 0; i < run->size; i++)
		cheap(0, LOOP_LENGTH);
	return 0;
}

static uint64_t uneven_bench(struct bench_run *run)
{
	loop_uneven(0, (size_t)run->size);
	return 0;
}

static uint64_t leaf_bench(struct bench_run *run)
{
	uint64_t n = (uint64_t)run->size, sum = leaf_long(n);

	for (uint64_t i = 0; i < n; i++)
		sum += leaf_child(i);
	return sum;
}

static bool start(unsigned workers)
{
	(void)workers;
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
		{ "loop", loop_bench, 0 },
		{ "leaf", leaf_bench, 0 },
		{ "uneven", uneven_bench, 0 },
		{ NULL, NULL, 0 },
	};
	static const struct executor serial = { "serial", NANOSECONDS, true, start, stop, benches };

	return bench_main(&serial, argc, argv);
}
