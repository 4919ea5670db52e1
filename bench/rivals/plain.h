/* SPDX-License-Identifier: MIT */
/*
 * What shared-queue and thread have in common: a task is a function and a structure of the
 * caller's. Each brings its own fork and join, and the benches on top (plain.c) are written once.
 */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include "harness.h"

#include <pthread.h>

struct work;
typedef void work_fn(struct work *work);

/* The first field of a task; the rest are arguments and results, and outlive the join. */
struct work {
	work_fn *fn;
	struct work *next, *previous; /* in the queue */
	bool done, posted;
	pthread_t thread; /* where there is one for each */
};

void work_fork(struct work *work, work_fn *fn);
void work_join(struct work *work);

/* Fork and join from outside the pool. */
void work_run(struct work *work, work_fn *fn);

/* The fork/join benches; uts has no tree that is small enough for a thread each. */
bench_fn plain_fib, plain_nqueens, plain_integrate, plain_skynet, plain_uts, plain_matmul,
	plain_sort;

#define PLAIN_BENCHES(max_tasks) \
	{ "fib", plain_fib, max_tasks }, { "nqueens", plain_nqueens, max_tasks }, \
		{ "integrate", plain_integrate, max_tasks }, \
		{ "skynet", plain_skynet, max_tasks }, { "matmul", plain_matmul, max_tasks }, \
	{ \
		"sort", plain_sort, max_tasks \
	}

#endif
