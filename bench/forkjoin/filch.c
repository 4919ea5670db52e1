/* SPDX-License-Identifier: MIT */
#include "submit/filch.h"
#include "forkjoin/integrate.h"
#include "forkjoin/leaf.h"
#include "forkjoin/loop.h"
#include "forkjoin/matmul.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/sort.h"
#include "forkjoin/uts.h"
#include "problems.h"

#include <errno.h>

filch *rt;

/* ---- trees ---------------------------------------------------------------------------------- */

FILCH_TASK(long, fib, frame, long, n)
{
	long right;

	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);
	right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

static uint64_t fib_bench(struct bench_run *run)
{
	return (uint64_t)fib_run(rt, run->size);
}

/*
 * The fork is for the other places in the same row, so that a row needs no second loop to join as
 * many tasks as it happened to have.
 */
FILCH_TASK(long, nqueens, frame, struct board, b, int, row, int, column, int, n)
{
	long sum;

	if (row == n)
		return 1;
	while (column < n && !safe(&b, row, column))
		column++;
	if (column == n)
		return 0;
	nqueens_fork(&frame, b, row, column + 1, n);
	sum = nqueens(frame, placed(b, row, column), row + 1, 0, n);
	return nqueens_join(&frame) + sum;
}

static uint64_t nqueens_bench(struct bench_run *run)
{
	struct board empty = { 0 };

	return (uint64_t)nqueens_run(rt, empty, 0, 0, (int)run->size);
}

FILCH_TASK(double, integrate, frame, double, x1, double, y1, double, x2, double, y2, double, area)
{
	struct halves h = halve(x1, y1, x2, y2);
	double right;

	if (close_enough(h, area))
		return h.left + h.right;
	integrate_fork(&frame, x1, y1, h.x, h.y, h.left);
	right = integrate(frame, h.x, h.y, x2, y2, h.right);
	return integrate_join(&frame) + right;
}

static uint64_t integrate_bench(struct bench_run *run)
{
	double n = (double)run->size;

	return whole(integrate_run(rt, 0, 0, n, height(n), 0));
}

FILCH_TASK(uint64_t, skynet, frame, uint64_t, number, uint64_t, leaves)
{
	uint64_t sum = 0;

	if (leaves == 1)
		return number;
	leaves /= 10;
	for (uint64_t i = 0; i < 10; i++)
		skynet_fork(&frame, number + i * leaves, leaves);
	for (int i = 0; i < 10; i++)
		sum += skynet_join(&frame);
	return sum;
}

static uint64_t skynet_bench(struct bench_run *run)
{
	return skynet_run(rt, 0, (uint64_t)run->size);
}

FILCH_TASK(uint64_t, uts, frame, struct node, n, long, tree)
{
	int children = uts_children(tree, &n);
	uint64_t nodes = 1;

	for (int i = 0; i < children; i++)
		uts_fork(&frame, uts_child(&n, i), tree);
	for (int i = 0; i < children; i++)
		nodes += uts_join(&frame);
	return nodes;
}

static uint64_t uts_bench(struct bench_run *run)
{
	return uts_run(rt, uts_root(run->size), run->size);
}

/* ---- blocks --------------------------------------------------------------------------------- */

FILCH_VOID_TASK(matmul, frame, struct blocks, q, long, size, long, n)
{
	long h = size / 2;

	if (size == MATMUL_LEAF) {
		matmul_leaf(q, n);
		return;
	}
	for (int k = 0; k < 2; k++) {
		matmul_fork(&frame, quadrant(q, 1, 1, k, h, n), h, n);
		matmul_fork(&frame, quadrant(q, 1, 0, k, h, n), h, n);
		matmul_fork(&frame, quadrant(q, 0, 1, k, h, n), h, n);
		matmul(frame, quadrant(q, 0, 0, k, h, n), h, n);
		matmul_join(&frame);
		matmul_join(&frame);
		matmul_join(&frame);
	}
}

static uint64_t matmul_bench(struct bench_run *run)
{
	struct blocks all = { matmul_c, matmul_a, matmul_b };

	matmul_run(rt, all, run->size, run->size);
	return 0;
}

static uint64_t sort_bench(struct bench_run *run)
{
	filch_sort(rt, sort_data, (size_t)run->size, sizeof(*sort_data), sort_compare);
	return 0;
}

/* ---- loops ---------------------------------------------------------------------------------- */

static void cheap(size_t begin, size_t end, void *arg)
{
	(void)arg;
	loop_cheap(begin, end);
}

static void uneven(size_t begin, size_t end, void *arg)
{
	(void)arg;
	loop_uneven(begin, end);
}

static uint64_t loop_bench(struct bench_run *run)
{
	for (long i = 0; i < run->size; i++)
		filch_for(rt, 0, LOOP_LENGTH, 0, cheap, NULL);
	return 0;
}

static uint64_t uneven_bench(struct bench_run *run)
{
	filch_for(rt, 0, (size_t)run->size, 0, uneven, NULL);
	return 0;
}

/* ---- children behind a long leaf ------------------------------------------------------------ */

FILCH_TASK(uint64_t, child, frame, uint64_t, number)
{
	return leaf_child(number);
}

FILCH_TASK(uint64_t, parent, frame, uint64_t, children)
{
	uint64_t sum;

	for (uint64_t i = 0; i < children; i++)
		child_fork(&frame, i);
	sum = leaf_long(children);
	for (uint64_t i = 0; i < children; i++)
		sum += child_join(&frame);
	return sum;
}

static uint64_t leaf_bench(struct bench_run *run)
{
	return parent_run(rt, (uint64_t)run->size);
}

/* ---- flat-fork ------------------------------------------------------------------------------ */

FILCH_TASK(uint64_t, leaf, frame, uint64_t, number)
{
	return number;
}

FILCH_TASK(uint64_t, fork_many, frame, long, size)
{
	uint64_t sum = 0;

	for (long from = 0, n; from < size; from += n) {
		n = size - from < FLAT_IN_FLIGHT ? size - from : FLAT_IN_FLIGHT;
		for (long i = 0; i < n; i++)
			leaf_fork(&frame, (uint64_t)(from + i));
		for (long i = 0; i < n; i++)
			sum += leaf_join(&frame);
	}
	return sum;
}

static uint64_t flat_fork(struct bench_run *run)
{
	return fork_many_run(rt, run->size);
}

/* ---- the program ---------------------------------------------------------------------------- */

static bool start(unsigned workers)
{
	/* For uts T3 alone, which is 1,572 calls deep. */
	struct filch_options options = { .workers = workers,
		                         .stack_size = 1 << 20,
		                         .flags = FILCH_REPORT_OVERFLOW };

	rt = filch_start(&options);
	return rt != NULL;
}

static void stop(void)
{
	int error = filch_stop(rt);

	if (error)
		bench_fail("filch_stop", -error);
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
		{ "flat-fork", flat_fork, 0 },
		{ "flat-submit", filch_flat_submit_bench, 0 },
		{ "submit", filch_submit_bench, 0 },
		{ "switch", filch_switch_bench, 0 },
		{ "chan", filch_chan_bench, 0 },
		{ "pingpong", filch_pingpong_bench, 0 },
		{ "wake", filch_wake_bench, 0 },
		{ NULL, NULL, 0 },
	};
	static const struct executor filch = { "filch", NANOSECONDS, false, start, stop, benches };

	return bench_main(&filch, argc, argv);
}
