/* SPDX-License-Identifier: MIT */
#include "post.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

/* ---- the tally ------------------------------------------------------------------------------ */

__thread struct tally *tally_mine;
static struct tally *tallies;

struct tally *tally_new(void)
{
	struct tally *t = aligned_alloc(128, sizeof *t);

	if (!t)
		bench_fail("no memory", ENOMEM);
	t->count = t->sum = 0;
	t->next = __atomic_load_n(&tallies, __ATOMIC_RELAXED);
	/* Its zeros before the pointer to it; pairs with the loads of tallies below. */
	while (!__atomic_compare_exchange_n(&tallies, &t->next, t, false, __ATOMIC_RELEASE,
	                                    __ATOMIC_RELAXED))
		;
	return tally_mine = t;
}

void tally_reset(void)
{
	for (struct tally *t = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE); t; t = t->next) {
		__atomic_store_n(&t->sum, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&t->count, 0, __ATOMIC_RELAXED);
	}
}

static void nap(long ns)
{
	struct timespec t = { 0, ns };

	nanosleep(&t, NULL);
}

uint64_t tally_wait(uint64_t n)
{
	for (;;) {
		uint64_t count = 0, sum = 0;

		for (struct tally *t = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE); t;
		     t = t->next) {
			count += __atomic_load_n(&t->count, __ATOMIC_ACQUIRE);
			sum += __atomic_load_n(&t->sum, __ATOMIC_RELAXED);
		}
		if (count >= n)
			return sum;
		nap(50000); /* often enough for runs of milliseconds, and rare enough not to take a
		               CPU */
	}
}

void tally_task(void *number)
{
	tally_add((uintptr_t)number);
}

/* ---- submit --------------------------------------------------------------------------------- */

struct producer {
	pthread_t thread;
	pthread_barrier_t *start;
	post_fn *post;
	uintptr_t first, end;
};

static void *produce(void *arg)
{
	const struct producer *p = arg;

	pthread_barrier_wait(p->start);
	for (uintptr_t i = p->first; i < p->end; i++)
		p->post(tally_task, (void *)i);
	return NULL;
}

uint64_t post_from_outside(struct bench_run *run, post_fn *post)
{
	unsigned n = run->producers;
	struct producer *p = calloc(n, sizeof *p);
	pthread_barrier_t start;
	uint64_t size = (uint64_t)run->size, sum;
	int64_t from;

	if (!p)
		bench_fail("no memory", ENOMEM);
	pthread_barrier_init(&start, NULL, n + 1);
	for (unsigned i = 0; i < n; i++) {
		int error;

		p[i] = (struct producer){ 0, &start, post, size * i / n, size * (i + 1) / n };
		error = pthread_create(&p[i].thread, NULL, produce, &p[i]);
		if (error)
			bench_fail("cannot create a producer", error);
	}
	from = bench_now(); /* before the barrier opens: afterwards a producer may have the CPU */
	pthread_barrier_wait(&start);
	sum = tally_wait(size);
	run->ns = (uint64_t)(bench_now() - from);
	for (unsigned i = 0; i < n; i++)
		pthread_join(p[i].thread, NULL);
	pthread_barrier_destroy(&start);
	free(p);
	return sum;
}

/* ---- wake ----------------------------------------------------------------------------------- */

struct call {
	sem_t done;
	int64_t answered;
};

static void answer(void *arg)
{
	struct call *call = arg;

	call->answered = bench_now();
	sem_post(&call->done);
}

static int shorter(const void *left, const void *right)
{
	int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;

	return (l > r) - (l < r);
}

uint64_t post_and_wake(struct bench_run *run, post_fn *post)
{
	size_t n = (size_t)run->size;
	int64_t *latency = calloc(n, sizeof *latency);
	struct call call;

	if (!latency)
		bench_fail("no memory", ENOMEM);
	sem_init(&call.done, 0, 0);
	for (size_t i = 0; i < n; i++) {
		int64_t from;

		nap(5000000); /* pools that spin a while before they sleep are asleep by then */
		from = bench_now();
		post(answer, &call);
		while (sem_wait(&call.done))
			;
		latency[i] = call.answered - from;
	}
	sem_destroy(&call.done);
	qsort(latency, n, sizeof *latency, shorter);
	run->ns = (uint64_t)latency[n / 2] *
	          n; /* the median: a neighbour's time slice is not the pool's */
	free(latency);
	return (uint64_t)run->size;
}
