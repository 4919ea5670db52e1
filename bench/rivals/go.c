/* SPDX-License-Identifier: MIT */
/*
 * The C side of go/rivals.go: the program. matmul is missing: Go does not make vectors of its inner
 * loop, and calling the C one would hold a thread for each.
 */
#include "forkjoin/integrate.h"
#include "forkjoin/sort.h"
#include "problems.h"

void go_start(unsigned workers);
int64_t go_fib(int64_t n);
uint64_t go_nqueens(int64_t n);
double go_integrate(double n);
uint64_t go_skynet(uint64_t leaves);
uint64_t go_uts(int64_t tree);
void go_sort(int *v, int *spare, int64_t n);
uint64_t go_flat_fork(int64_t size, int64_t in_flight);
uint64_t go_switch(int64_t n);
uint64_t go_chan(int64_t n, int64_t capacity);
uint64_t go_pingpong(int64_t n);

static uint64_t fib(struct bench_run *run)
{
	return (uint64_t)go_fib(run->size);
}

static uint64_t nqueens(struct bench_run *run)
{
	return go_nqueens(run->size);
}

static uint64_t integrate(struct bench_run *run)
{
	return whole(go_integrate((double)run->size));
}

static uint64_t skynet(struct bench_run *run)
{
	return go_skynet((uint64_t)run->size);
}

static uint64_t uts(struct bench_run *run)
{
	return go_uts(run->size);
}

static uint64_t sort(struct bench_run *run)
{
	go_sort(sort_data, sort_spare, run->size);
	return 0;
}

static uint64_t flat_fork(struct bench_run *run)
{
	return go_flat_fork(run->size, FLAT_IN_FLIGHT);
}

static uint64_t yields(struct bench_run *run)
{
	return go_switch(run->size);
}

static uint64_t chan(struct bench_run *run)
{
	return go_chan(run->size, CHAN_CAPACITY);
}

static uint64_t pingpong(struct bench_run *run)
{
	return go_pingpong(run->size);
}

static bool start(unsigned workers)
{
	go_start(workers);
	return true;
}

static void stop(void)
{
}

int main(int argc, char **argv)
{
	static const struct bench_entry benches[] = {
		{ "fib", fib, 0 },
		{ "nqueens", nqueens, 0 },
		{ "integrate", integrate, 0 },
		{ "skynet", skynet, 0 },
		{ "uts", uts, 0 },
		{ "sort", sort, 0 },
		{ "flat-fork", flat_fork, 0 },
		{ "switch", yields, 0 },
		{ "chan", chan, 0 },
		{ "pingpong", pingpong, 0 },
		{ NULL, NULL, 0 },
	};
	static const struct executor go = { "go",   HUNDREDS_OF_NANOSECONDS, false, start, stop,
		                            benches };

	return bench_main(&go, argc, argv);
}
