/* SPDX-License-Identifier: MIT */
/*
 * The C side of rayon.rs: the program, and the leaf code that both run.
 */
#include "forkjoin/integrate.h"
#include "forkjoin/leaf.h"
#include "forkjoin/matmul.h"
#include "forkjoin/sort.h"
#include "forkjoin/uts.h"
#include "problems.h"
#include "submit/post.h"

bool rayon_start(uint32_t workers);
void rayon_stop(void);
int64_t rayon_fib(int64_t n);
uint64_t rayon_nqueens(int64_t n);
double rayon_integrate(double n);
uint64_t rayon_skynet(uint64_t leaves);
uint64_t rayon_uts(int64_t tree);
void rayon_matmul(struct blocks q, int64_t n);
void rayon_sort(int *v, int64_t n);
uint64_t rayon_leaf(uint64_t children);
uint64_t rayon_flat_fork(int64_t size, int64_t in_flight);
void rayon_flat_submit(int64_t size);
void rayon_post(void (*task)(void *arg), void *arg);

struct node leaf_uts_root(int64_t tree);
struct node leaf_uts_child(const struct node *parent, int32_t number);
int32_t leaf_uts_children(int64_t tree, const struct node *n);
void leaf_matmul(struct blocks q, int64_t n);
struct blocks leaf_quadrant(struct blocks q, int i, int j, int k, int64_t h, int64_t n);
uint64_t leaf_of_child(uint64_t number);
uint64_t leaf_of_all(uint64_t children);

struct node leaf_uts_root(int64_t tree)
{
	return uts_root(tree);
}

struct node leaf_uts_child(const struct node *parent, int32_t number)
{
	return uts_child(parent, number);
}

int32_t leaf_uts_children(int64_t tree, const struct node *n)
{
	return uts_children(tree, n);
}

void leaf_matmul(struct blocks q, int64_t n)
{
	matmul_leaf(q, n);
}

struct blocks leaf_quadrant(struct blocks q, int i, int j, int k, int64_t h, int64_t n)
{
	return quadrant(q, i, j, k, h, n);
}

uint64_t leaf_of_child(uint64_t number)
{
	return leaf_child(number);
}

uint64_t leaf_of_all(uint64_t children)
{
	return leaf_long(children);
}

static uint64_t fib(struct bench_run *run)
{
	return (uint64_t)rayon_fib(run->size);
}

static uint64_t nqueens(struct bench_run *run)
{
	return rayon_nqueens(run->size);
}

static uint64_t integrate(struct bench_run *run)
{
	return whole(rayon_integrate((double)run->size));
}

static uint64_t skynet(struct bench_run *run)
{
	return rayon_skynet((uint64_t)run->size);
}

static uint64_t uts(struct bench_run *run)
{
	return rayon_uts(run->size);
}

static uint64_t matmul(struct bench_run *run)
{
	struct blocks all = { matmul_c, matmul_a, matmul_b };

	rayon_matmul(all, run->size);
	return 0;
}

static uint64_t sort(struct bench_run *run)
{
	rayon_sort(sort_data, run->size);
	return 0;
}

static uint64_t leaf(struct bench_run *run)
{
	return rayon_leaf((uint64_t)run->size);
}

static uint64_t flat_fork(struct bench_run *run)
{
	return rayon_flat_fork(run->size, FLAT_IN_FLIGHT);
}

static uint64_t flat_submit(struct bench_run *run)
{
	rayon_flat_submit(run->size);
	return tally_wait((uint64_t)run->size); /* done already: this only adds up */
}

static uint64_t submit(struct bench_run *run)
{
	return post_from_outside(run, rayon_post);
}

static uint64_t wake(struct bench_run *run)
{
	return post_and_wake(run, rayon_post);
}

static bool start(unsigned workers)
{
	return rayon_start(workers);
}

int main(int argc, char **argv)
{
	static const struct bench_entry benches[] = {
		{ "fib", fib, 0 },
		{ "nqueens", nqueens, 0 },
		{ "integrate", integrate, 0 },
		{ "skynet", skynet, 0 },
		{ "uts", uts, 0 },
		{ "matmul", matmul, 0 },
		{ "sort", sort, 0 },
		{ "leaf", leaf, 0 },
		{ "flat-fork", flat_fork, 0 },
		{ "flat-submit", flat_submit, 0 },
		{ "submit", submit, 0 },
		{ "wake", wake, 0 },
		{ NULL, NULL, 0 },
	};
	static const struct executor rayon = { "rayon",    TENS_OF_NANOSECONDS,
		                               false,      start,
		                               rayon_stop, benches };

	return bench_main(&rayon, argc, argv);
}
