/* SPDX-License-Identifier: MIT */
/*
 * tbb: oneTBB's task_group for what is forked and waited for, its parallel_sort
 * and parallel_for, and task_arena::enqueue for what comes from outside, as its guide has it:
 * https://oneapi-src.github.io/oneTBB/main/tbb_userguide/Task-Based_Programming.html
 */
#include "forkjoin/integrate.h"
#include "forkjoin/leaf.h"
#include "forkjoin/loop.h"
#include "forkjoin/matmul.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/uts.h"
#include "problems.h"
#include "submit/post.h"

#include <memory>
#include <oneapi/tbb.h>
#include <vector>

extern int *sort_data;

namespace
{

std::unique_ptr<tbb::global_control> control;
std::unique_ptr<tbb::task_arena> arena;

/* Run f in the arena, where task_group and parallel_sort find its workers. */
template <typename F> auto inside(F f)
{
	return arena->execute(f);
}

long fib(long n)
{
	long left, right;

	if (n < 2)
		return n;
	tbb::task_group group;
	group.run([&] { left = fib(n - 1); });
	right = fib(n - 2);
	group.wait();
	return left + right;
}

uint64_t fib_bench(struct bench_run *run)
{
	return inside([=] { return static_cast<uint64_t>(fib(run->size)); });
}

long nqueens(struct board b, int row, int n)
{
	long sum = 0, count[QUEENS_MAX] = { 0 };

	if (row == n)
		return 1;
	tbb::task_group group;
	for (int column = 0; column < n; column++)
		if (safe(&b, row, column))
			group.run([&, column] {
				count[column] = nqueens(placed(b, row, column), row + 1, n);
			});
	group.wait();
	for (int column = 0; column < n; column++)
		sum += count[column];
	return sum;
}

uint64_t nqueens_bench(struct bench_run *run)
{
	return inside([=] {
		return static_cast<uint64_t>(nqueens(board(), 0, static_cast<int>(run->size)));
	});
}

double integrate(double x1, double y1, double x2, double y2, double area)
{
	struct halves h = halve(x1, y1, x2, y2);
	double left, right;

	if (close_enough(h, area))
		return h.left + h.right;
	tbb::task_group group;
	group.run([&] { left = integrate(x1, y1, h.x, h.y, h.left); });
	right = integrate(h.x, h.y, x2, y2, h.right);
	group.wait();
	return left + right;
}

uint64_t integrate_bench(struct bench_run *run)
{
	double n = static_cast<double>(run->size);

	return inside([=] { return whole(integrate(0, 0, n, height(n), 0)); });
}

uint64_t skynet(uint64_t number, uint64_t leaves)
{
	uint64_t sum = 0, child[10];

	if (leaves == 1)
		return number;
	leaves /= 10;
	tbb::task_group group;
	for (uint64_t i = 0; i < 10; i++)
		group.run([&, i] { child[i] = skynet(number + i * leaves, leaves); });
	group.wait();
	for (uint64_t of_child : child)
		sum += of_child;
	return sum;
}

uint64_t skynet_bench(struct bench_run *run)
{
	return inside([=] { return skynet(0, static_cast<uint64_t>(run->size)); });
}

uint64_t uts(struct node n, long tree)
{
	int children = uts_children(tree, &n);
	uint64_t nodes = 1;

	if (children == 0)
		return nodes;
	auto below = static_cast<uint64_t *>(
		__builtin_alloca(static_cast<size_t>(children) * sizeof(uint64_t)));
	tbb::task_group group;
	for (int i = 0; i < children; i++)
		group.run([=, child = uts_child(&n, i)] { below[i] = uts(child, tree); });
	group.wait();
	for (int i = 0; i < children; i++)
		nodes += below[i];
	return nodes;
}

uint64_t uts_bench(struct bench_run *run)
{
	return inside([=] { return uts(uts_root(run->size), run->size); });
}

void matmul(struct blocks q, long size, long n)
{
	long h = size / 2;

	if (size == MATMUL_LEAF) {
		matmul_leaf(q, n);
		return;
	}
	for (int k = 0; k < 2; k++)
		tbb::parallel_invoke([=] { matmul(quadrant(q, 0, 0, k, h, n), h, n); },
		                     [=] { matmul(quadrant(q, 0, 1, k, h, n), h, n); },
		                     [=] { matmul(quadrant(q, 1, 0, k, h, n), h, n); },
		                     [=] { matmul(quadrant(q, 1, 1, k, h, n), h, n); });
}

uint64_t matmul_bench(struct bench_run *run)
{
	struct blocks all = { matmul_c, matmul_a, matmul_b };

	inside([=] { matmul(all, run->size, run->size); });
	return 0;
}

uint64_t sort_bench(struct bench_run *run)
{
	inside([=] { tbb::parallel_sort(sort_data, sort_data + run->size); });
	return 0;
}

/* ---- children behind a long leaf ------------------------------------------------------------ */

uint64_t leaf_bench(struct bench_run *run)
{
	return inside([=] {
		uint64_t n = static_cast<uint64_t>(run->size), sum;
		std::vector<uint64_t> child(n);
		tbb::task_group group;

		for (uint64_t i = 0; i < n; i++)
			group.run([&child, i] { child[i] = leaf_child(i); });
		sum = leaf_long(n);
		group.wait();
		for (uint64_t of_child : child)
			sum += of_child;
		return sum;
	});
}

/* ---- loops ---------------------------------------------------------------------------------- */

using range = tbb::blocked_range<size_t>;

uint64_t loop_bench(struct bench_run *run)
{
	inside([=] {
		for (long i = 0; i < run->size; i++)
			tbb::parallel_for(range(0, LOOP_LENGTH),
			                  [](const range &r) { loop_cheap(r.begin(), r.end()); });
	});
	return 0;
}

uint64_t uneven_bench(struct bench_run *run)
{
	inside([=] {
		tbb::parallel_for(range(0, static_cast<size_t>(run->size)),
		                  [](const range &r) { loop_uneven(r.begin(), r.end()); });
	});
	return 0;
}

/* ---- flat loads ----------------------------------------------------------------------------- */

uint64_t fork_many(long size)
{
	static uint64_t result[FLAT_IN_FLIGHT];
	uint64_t sum = 0;
	tbb::task_group group;

	for (long from = 0, n; from < size; from += n) {
		n = size - from < FLAT_IN_FLIGHT ? size - from : FLAT_IN_FLIGHT;
		for (long i = 0; i < n; i++)
			group.run([=] { result[i] = static_cast<uint64_t>(from + i); });
		group.wait();
		for (long i = 0; i < n; i++)
			sum += result[i];
	}
	return sum;
}

uint64_t flat_fork(struct bench_run *run)
{
	return inside([=] { return fork_many(run->size); });
}

uint64_t flat_submit(struct bench_run *run)
{
	inside([=] {
		tbb::task_group group;

		for (long i = 0; i < run->size; i++)
			group.run([=] { tally_add(static_cast<uint64_t>(i)); });
		group.wait();
	});
	return tally_wait(static_cast<uint64_t>(run->size)); /* done already: this only adds up */
}

void post(void (*task)(void *), void *arg)
{
	arena->enqueue([=] { task(arg); });
}

uint64_t submit(struct bench_run *run)
{
	return post_from_outside(run, post);
}

uint64_t wake(struct bench_run *run)
{
	return post_and_wake(run, post);
}

/*
 * In the arena the calling thread is one of the workers; it holds its place only while it is in
 * there. For tasks that are posted from outside, all places are for the workers.
 */
bool start(unsigned workers)
{
	control = std::make_unique<tbb::global_control>(
		tbb::global_control::max_allowed_parallelism, workers + 1);
	arena = std::make_unique<tbb::task_arena>(static_cast<int>(workers), 0);
	arena->initialize();
	return true;
}

void stop()
{
	arena.reset();
	control.reset();
}

} // namespace

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
		{ "submit", submit, 0 },
		{ "wake", wake, 0 },
		{ NULL, nullptr, 0 },
	};
	static const struct executor tbb = { "tbb",  HUNDREDS_OF_NANOSECONDS, false, start, stop,
		                             benches };

	return bench_main(&tbb, argc, argv);
}
