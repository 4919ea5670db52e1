/* SPDX-License-Identifier: MIT */
/*
 * thread: a thread for each task, which the kernel schedules. There is no number of workers to
 * choose, and no large size either: creating one takes about 40 us, and each one that waits holds a
 * stack.
 */
#include "rivals/thread.h"
#include "harness.h"
#include "rivals/plain.h"
#include "submit/post.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

static pthread_attr_t small, detached;

/* Tasks, at the most: larger loads take minutes, and more threads at a time than there may be. */
enum { MANY = 20000 };

static void create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	int error = pthread_create(thread, attr, fn, arg);

	if (error)
		bench_fail("cannot create a thread for a task", error);
}

static void *work_thread(void *arg)
{
	struct work *work = arg;

	work->fn(work);
	return NULL;
}

void work_fork(struct work *work, work_fn *fn)
{
	work->fn = fn;
	create(&work->thread, &small, work_thread, work);
}

void work_join(struct work *work)
{
	pthread_join(work->thread, NULL);
}

void work_run(struct work *work, work_fn *fn)
{
	fn(work);
}

/* ---- posted tasks --------------------------------------------------------------------------- */

struct posted {
	void (*task)(void *arg);
	void *arg;
};

static void *posted_thread(void *arg)
{
	struct posted p = *(struct posted *)arg;

	free(arg);
	p.task(p.arg);
	return NULL;
}

static void post(void (*task)(void *arg), void *arg)
{
	struct posted *p = malloc(sizeof *p);
	pthread_t thread;

	if (!p)
		bench_fail("no memory for a task", ENOMEM);
	*p = (struct posted){ task, arg };
	create(&thread, &detached, posted_thread, p);
}

static uint64_t flat_submit(struct bench_run *run)
{
	for (uintptr_t i = 0; i < (uintptr_t)run->size; i++)
		post(tally_task, (void *)i);
	return tally_wait((uint64_t)run->size);
}

static uint64_t submit(struct bench_run *run)
{
	return post_from_outside(run, post);
}

/* ---- wake: a thread that sleeps on a semaphore, one futex: the floor for everybody ---------- */

static sem_t bell;
static struct posted rung;

static void *sleeper(void *arg)
{
	for (;;) {
		while (sem_wait(&bell))
			;
		if (!rung.task)
			return arg;
		rung.task(rung.arg);
	}
}

static void ring(void (*task)(void *arg), void *arg)
{
	rung = (struct posted){ task, arg };
	sem_post(&bell);
}

static uint64_t wake(struct bench_run *run)
{
	pthread_t thread;
	uint64_t result;

	sem_init(&bell, 0, 0);
	create(&thread, &small, sleeper, NULL);
	result = post_and_wake(run, ring);
	ring(NULL, NULL);
	pthread_join(thread, NULL);
	sem_destroy(&bell);
	return result;
}

static bool start(unsigned workers)
{
	(void)workers; /* the kernel has them all */
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10); /* room for thousands of them */
	pthread_attr_init(&detached);
	pthread_attr_setstacksize(&detached, 64 << 10);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	return true;
}

static void stop(void)
{
	pthread_attr_destroy(&small);
	pthread_attr_destroy(&detached);
}

int main(int argc, char **argv)
{
	static const struct bench_entry benches[] = {
		PLAIN_BENCHES(MANY),        { "flat-submit", flat_submit, MANY },
		{ "submit", submit, MANY }, { "switch", thread_switch, 0 },
		{ "chan", thread_chan, 0 }, { "pingpong", thread_pingpong, 0 },
		{ "wake", wake, 0 },        { NULL, NULL, 0 },
	};
	static const struct executor thread = {
		"thread", MICROSECONDS, false, start, stop, benches
	};

	return bench_main(&thread, argc, argv);
}
