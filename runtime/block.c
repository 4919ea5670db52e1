/* SPDX-License-Identifier: MIT */
/*
 * filch_block: a task leaves its stack, as in any wait, while a thread runs the function for it.
 *
 * A job is handed to a thread that is idle; if there is none, to a new one; if there are as many as
 * may be, it queues, and a thread that has finished takes it. All three are decided under one lock,
 * so a job never queues beside an idle thread, and no thread is started for a job that one could
 * have had. A thread that was idle for a while goes away. It joins the one that left before it, so
 * that one thread at most is to be joined when the runtime ends, and none runs after.
 *
 * The function runs as its task: who asks who calls (self_here, filch_here, filch_cancelled) is
 * told the task. Its waits block the thread, in the job's own waiter, where a cancel finds it: the
 * job stays where it is while its task waits (cancel.c).
 */
#include "block.h"

#include <errno.h>
#include <sched.h>

#include "cpus.h"
#include "worker.h"

#define LINGER ((int64_t)5000000000) /* a thread costs 43 us to start and 10 KB to keep */

static _Thread_local struct job *job __attribute__((tls_model("initial-exec")));

/* noinline: as worker_here(), since a task may call it on one thread and then on another. */
__attribute__((noinline)) struct job *job_here(void)
{
	__asm__ volatile("");
	return job;
}

void job_forget(void)
{
	job = NULL;
}

static void run_job(struct job *j)
{
	struct waiter *done = &j->stack->waiter;

	job = j;
	j->fn(j->arg);
	job = NULL;
	if (waiter_claim(done, 0))
		waiter_wake(done);
}

static struct job *take_queued(struct blocking *b)
{
	struct job *j = b->first;

	if (j)
		b->first = j->next;
	return j;
}

static void unlock_all(struct blocking *b)
{
	unlock(&b->word, b->idle ? WAITERS : 0);
}

/* NULL: none came for a while, or the runtime has ended. */
static struct job *wait_for_job(struct blocking *b)
{
	int64_t deadline = filch_after(LINGER);
	struct waiter thread, *w = wait_begin(&thread, FOR_JOB, deadline);
	uint64_t word = lock(&b->word);
	struct job *j = take_queued(b);

	if (!j && !b->ended)
		return wait_in(&b->word, word, &b->idle, w, deadline) ? NULL : w->value;
	unlock_all(b);
	return j;
}

/*
 * A job may have been queued since: then there is one. Otherwise the thread does not count any
 * more.
 */
static struct job *leave(struct blocking *b)
{
	pthread_t before;
	struct job *j;
	bool any;

	lock(&b->word);
	j = take_queued(b);
	if (j) {
		unlock_all(b);
		return j;
	}
	before = b->left;
	any = b->any_left;
	b->left = pthread_self();
	b->any_left = true;
	b->threads--;
	unlock_all(b);
	/* The runtime may be freed as soon as this thread has been joined. */
	if (any)
		pthread_join(before, NULL);
	return NULL;
}

static void *thread_main(void *first)
{
	struct job *j = first;
	struct blocking *b = &j->stack->rt->blocking;

	pthread_setname_np(pthread_self(), "filch-block");
	cpus_as(j->stack->rt->watch.thread); /* who made this thread may be bound to one */
	while (j) {
		run_job(j);
		j = wait_for_job(b);
		if (!j)
			j = leave(b);
	}
	return NULL;
}

/* With the lock held: to a thread that is idle, which is to be woken, or into the queue. */
static struct waiter *place(struct blocking *b, struct job *j)
{
	struct waiter *idle = wait_take(&b->idle, 0);

	if (idle) {
		idle->value = j;
		return idle;
	}
	j->next = NULL;
	if (b->first)
		b->last->next = j;
	else
		b->first = j;
	b->last = j;
	return NULL;
}

static void refuse(struct job *j)
{
	while (j) {
		struct waiter *w = &j->stack->waiter;

		j = j->next; /* before its task goes on */
		if (waiter_claim(w, -EAGAIN))
			waiter_wake(w);
	}
}

/*
 * No thread is to be had: those that there are will see to it. If there are none, nobody comes to
 * what others have left in the queue either, who counted on this one.
 */
static struct waiter *do_without(struct blocking *b, struct job *j)
{
	struct waiter *idle = NULL;
	struct job *refused = NULL;

	lock(&b->word);
	if (--b->threads) {
		idle = place(b, j);
	} else {
		j->next = b->first;
		b->first = NULL;
		refused = j;
	}
	unlock_all(b);
	refuse(refused);
	return idle;
}

/* The task's stack has been left. */
static void hand_over(struct waiter *w)
{
	struct job *j = w->value;
	struct blocking *b = &j->stack->rt->blocking;
	struct waiter *idle = NULL;
	pthread_t id;
	bool start;

	lock(&b->word);
	start = !b->idle && b->threads < b->most;
	if (start)
		b->threads++;
	else
		idle = place(b, j);
	unlock_all(b);
	if (start && thread_create(&id, thread_main, j))
		idle = do_without(b, j);
	if (idle)
		waiter_wake(idle);
}

int filch_block(filch_fn *fn, void *arg)
{
	struct job j = { .fn = fn, .arg = arg, .stack = stack_here() };
	struct waiter *w;

	if (!fn)
		return -EINVAL;
	if (!j.stack) {
		fn(arg);
		return 0;
	}
	w = wait_begin(NULL, FOR_BLOCK, FILCH_NEVER);
	w->value = &j;
	return wait_for(hand_over, w, FILCH_NEVER);
}

static unsigned threads_left(struct blocking *b)
{
	unsigned n;

	lock(&b->word);
	n = b->threads;
	unlock_all(b);
	return n;
}

void block_stop(struct blocking *b)
{
	struct waiter *chain;

	lock(&b->word);
	b->ended = true;
	chain = wait_take_all(&b->idle, 0, NULL);
	unlock_all(b);
	waiters_wake(chain);
	while (threads_left(b))
		sched_yield();
	if (b->any_left)
		pthread_join(b->left, NULL);
}
