/* SPDX-License-Identifier: MIT */
/*
 * shared-queue: the classic teaching design. N threads take tasks from one queue under one mutex.
 * To fork and join on it, a join runs queued tasks while it waits (or N waiting parents would be
 * the end), the newest first: with the oldest first its stack would grow with the width of the
 * tree.
 */
#include "problems.h"
#include "rivals/plain.h"
#include "submit/post.h"

#include <errno.h>
#include <stdlib.h>

static struct {
	pthread_mutex_t
		mutex; /* protects everything here, and the links and flags of queued work */
	pthread_cond_t changed; /* work came, or somebody's work is done, or it is over */
	pthread_cond_t outside; /* what work_run() waits for, the root, is done */
	const struct work *root;
	struct work queue;      /* a ring: next is the oldest, previous the newest */
	unsigned sleepers;
	bool over;
	unsigned threads;
	pthread_t thread[1024];
} pool = { .mutex = PTHREAD_MUTEX_INITIALIZER,
	   .changed = PTHREAD_COND_INITIALIZER,
	   .outside = PTHREAD_COND_INITIALIZER };

static void push(struct work *work)
{
	pthread_mutex_lock(&pool.mutex);
	work->next = &pool.queue;
	work->previous = pool.queue.previous;
	work->previous->next = work;
	pool.queue.previous = work;
	if (pool.sleepers)
		pthread_cond_signal(&pool.changed);
	pthread_mutex_unlock(&pool.mutex);
}

static bool empty(void)
{
	return pool.queue.next == &pool.queue;
}

static void sleep_locked(void)
{
	pool.sleepers++;
	pthread_cond_wait(&pool.changed, &pool.mutex);
	pool.sleepers--;
}

/* With the mutex held, before and after. Posted work frees itself; nobody waits for it. */
static void run_locked(struct work *work)
{
	bool posted = work->posted;

	work->previous->next = work->next;
	work->next->previous = work->previous;
	pthread_mutex_unlock(&pool.mutex);
	work->fn(work);
	pthread_mutex_lock(&pool.mutex);
	if (posted)
		return;
	work->done = true;
	if (pool.sleepers)
		pthread_cond_broadcast(&pool.changed); /* its parent may be any of them */
	if (work == pool.root)
		pthread_cond_signal(&pool.outside);
}

static void *worker(void *arg)
{
	pthread_mutex_lock(&pool.mutex);
	while (!pool.over) {
		if (empty())
			sleep_locked();
		else
			run_locked(pool.queue.next);
	}
	pthread_mutex_unlock(&pool.mutex);
	return arg;
}

void work_fork(struct work *work, work_fn *fn)
{
	work->fn = fn;
	work->done = work->posted = false;
	push(work);
}

void work_join(struct work *work)
{
	pthread_mutex_lock(&pool.mutex);
	while (!work->done) {
		if (empty())
			sleep_locked();
		else
			run_locked(pool.queue.previous);
	}
	if (!empty() && pool.sleepers)
		pthread_cond_signal(&pool.changed); /* the signal may have come here */
	pthread_mutex_unlock(&pool.mutex);
}

/* The caller is none of the N: it waits on its own condition, to take no wake-up from them. */
void work_run(struct work *work, work_fn *fn)
{
	pool.root = work;
	work_fork(work, fn);
	pthread_mutex_lock(&pool.mutex);
	while (!work->done)
		pthread_cond_wait(&pool.outside, &pool.mutex);
	pthread_mutex_unlock(&pool.mutex);
}

/* ---- posted tasks --------------------------------------------------------------------------- */

struct posted {
	struct work work;
	void (*task)(void *arg);
	void *arg;
};

static void run_posted(struct work *work)
{
	struct posted p = *(struct posted *)work;

	free(work);
	p.task(p.arg);
}

static void post(void (*task)(void *arg), void *arg)
{
	struct posted *p = malloc(sizeof *p);

	if (!p)
		bench_fail("no memory for a task", ENOMEM);
	*p = (struct posted){ .work = { .fn = run_posted, .posted = true },
		              .task = task,
		              .arg = arg };
	push(&p->work);
}

struct flat {
	struct work work;
	long size;
	uint64_t sum;
};

static void submit_many(struct work *work)
{
	for (uintptr_t i = 0; i < (uintptr_t)((struct flat *)work)->size; i++)
		post(tally_task, (void *)i);
}

static uint64_t flat_submit(struct bench_run *run)
{
	struct flat flat = { .size = run->size };

	work_run(&flat.work, submit_many);
	return tally_wait((uint64_t)run->size);
}

struct leaf {
	struct work work;
	uint64_t number, result;
};

static void leaf(struct work *work)
{
	struct leaf *l = (struct leaf *)work;

	l->result = l->number;
}

static void fork_many(struct work *work)
{
	static struct leaf in_flight[FLAT_IN_FLIGHT];
	struct flat *flat = (struct flat *)work;

	for (long from = 0, n; from < flat->size; from += n) {
		n = flat->size - from < FLAT_IN_FLIGHT ? flat->size - from : FLAT_IN_FLIGHT;
		for (long i = 0; i < n; i++) {
			in_flight[i].number = (uint64_t)(from + i);
			work_fork(&in_flight[i].work, leaf);
		}
		for (long i = n; i-- > 0;) {
			work_join(&in_flight[i].work);
			flat->sum += in_flight[i].result;
		}
	}
}

static uint64_t flat_fork(struct bench_run *run)
{
	struct flat flat = { .size = run->size, .sum = 0 };

	work_run(&flat.work, fork_many);
	return flat.sum;
}

static uint64_t submit(struct bench_run *run)
{
	return post_from_outside(run, post);
}

static uint64_t wake(struct bench_run *run)
{
	return post_and_wake(run, post);
}

/* ---- start and stop ------------------------------------------------------------------------- */

static bool start(unsigned workers)
{
	pthread_attr_t deep;

	pool.queue.next = pool.queue.previous = &pool.queue;
	pthread_attr_init(&deep);
	/* Joins nest, without a bound: strangers' tasks run on a waiter's stack. */
	pthread_attr_setstacksize(&deep, (size_t)1 << 30);
	for (; pool.threads < workers; pool.threads++) {
		errno = pthread_create(&pool.thread[pool.threads], &deep, worker, NULL);
		if (errno)
			break;
	}
	pthread_attr_destroy(&deep);
	return pool.threads == workers;
}

static void stop(void)
{
	pthread_mutex_lock(&pool.mutex);
	pool.over = true;
	pthread_cond_broadcast(&pool.changed);
	pthread_mutex_unlock(&pool.mutex);
	while (pool.threads)
		pthread_join(pool.thread[--pool.threads], NULL);
}

int main(int argc, char **argv)
{
	static const struct bench_entry benches[] = {
		PLAIN_BENCHES(0),
		{ "uts", plain_uts, 0 },
		{ "flat-fork", flat_fork, 0 },
		{ "flat-submit", flat_submit, 0 },
		{ "submit", submit, 0 },
		{ "wake", wake, 0 },
		{ NULL, NULL, 0 },
	};
	static const struct executor queue = { "shared-queue", HUNDREDS_OF_NANOSECONDS,
		                               false,          start,
		                               stop,           benches };

	return bench_main(&queue, argc, argv);
}
