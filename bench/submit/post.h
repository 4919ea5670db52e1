/* SPDX-License-Identifier: MIT */
/*
 * The benches that hand empty tasks to a pool, for any pool: an executor brings its own way to post
 * one.
 */
#ifndef BENCH_POST_H
#define BENCH_POST_H

#include "harness.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What an empty task does: it adds its number to a sum of its thread's own, so that a lost, doubled
 * or foreign task shows and nothing is contended. A tally outlives its thread.
 */
struct tally {
	uint64_t count, sum;
	struct tally *next;
	char padding[128 - 3 * sizeof(uint64_t)]; /* from the neighbour's prefetched cache line */
};

extern __thread struct tally *tally_mine;

struct tally *tally_new(void);
void tally_reset(void);

static inline void tally_add(uint64_t number)
{
	struct tally *t = tally_mine ? tally_mine : tally_new();

	/* The sum before the count that announces it; pairs with tally_wait(). */
	__atomic_store_n(&t->sum, t->sum + number, __ATOMIC_RELAXED);
	__atomic_store_n(&t->count, t->count + 1, __ATOMIC_RELEASE);
}

/* Look every now and then, until n tasks have run: the sum of their numbers. */
uint64_t tally_wait(uint64_t n);

/* The empty task; its argument is its number. */
void tally_task(void *number);

typedef void post_fn(void (*task)(void *arg), void *arg);

/* submit: run->size empty tasks from run->producers threads, until the last has run. */
uint64_t post_from_outside(struct bench_run *run, post_fn *post);

/* wake: post to a pool that sleeps, run->size times; the time is the median until it runs. */
uint64_t post_and_wake(struct bench_run *run, post_fn *post);

#ifdef __cplusplus
}
#endif

#endif
