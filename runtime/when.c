/* SPDX-License-Identifier: MIT */
/*
 * filch_submit_when: a task that has no stack yet, and waits for a descriptor.
 *
 * Until it is ready it is two cache lines in the descriptor's list of those who wait for anything
 * (EITHER), beside the tasks in filch_poll(). Its end is decided as every waiter's, by one claim:
 * of who delivers an event, of its deadline, of a close, of a stop or cancel, which go over all
 * descriptors. The winner queues it as an item; a worker then runs it (run_when), which first
 * cleans up what the winner could not: its timer, and its place in the list if its deadline won.
 * Nobody refers to it after that, so it is the worker's to recycle.
 *
 * A result of 0 means "look again": so begins one that was submitted from outside, since a timer
 * is armed, and a descriptor watched, by a worker; so goes on one whose poller went away, or stopped
 * receiving.
 *
 * Between two such, or before the first, its number may be closed and given to somebody else. So it
 * remembers how often that has been closed, and asks again once it has entered the descriptor.
 *
 * When the poll(2) can be left out, and why no event is lost: descriptor_enlist().
 *
 * From the beginning it is counted as admitted, so that a runtime that stops does not end before
 * it has run; max_pending does not count it. A stop (or a cancel) sets its flag and then visits
 * every descriptor, under the lock of its list; who enlists looks at the flag under the same lock.
 * Whichever comes second sees the other.
 */
#include "when.h"

#include <errno.h>

#include "descriptor.h"
#include "task.h"

static struct when *when_in(struct filch_slot_ *slot)
{
	return (struct when *)(void *)slot;
}

static int fd_of(const struct when *e)
{
	return (int)(intptr_t)e->waiter.value;
}

/* NULL if it was closed since: then the number may be another's. */
static struct descriptor *enter_again(const struct when *e, int *error)
{
	struct descriptor *d = descriptor_enter(fd_of(e), error);

	if (d && load_seq(&d->closes) != e->waiter.closes) {
		descriptor_leave(d, fd_of(e));
		*error = -ECANCELED;
		return NULL;
	}
	return d;
}

/* On a worker: 0 if it waits, and may be gone by now; otherwise its result, or why it cannot. */
static int enlist(struct when *e, struct descriptor *d, int64_t deadline)
{
	int fd = fd_of(e), result;
	short events = e->waiter.events;
	uint64_t seen, *looked = NULL;

	while ((result = descriptor_enlist(d, fd, &e->waiter, deadline, looked)) == LOOK_FIRST) {
		seen = descriptor_seen(d, EITHER);
		result = descriptor_look(d, fd, events);
		if (result)
			return result;
		looked = &seen;
	}
	/* What cannot be watched is always ready, or will never be. */
	if (result == -EPERM && !(result = descriptor_look(d, fd, events)))
		result = -EPERM;
	return result;
}

static int wait_in_list(struct worker *w, struct when *e, struct descriptor *d, int64_t deadline)
{
	int result;

	e->waiter.state = WAITING;
	count_up(&w->whens_begun); /* relaxed inside: a statistic */
	result = enlist(e, d, deadline);
	if (result)
		count_up(&w->whens_ended); /* relaxed inside: a statistic */
	return result;
}

static int wait_again(struct worker *w, struct when *e)
{
	int fd = fd_of(e), result = -EBADF;
	struct descriptor *d = enter_again(e, &result);

	if (!d)
		return result;
	result = wait_in_list(w, e, d, e->waiter.timer.when);
	descriptor_leave(d, fd);
	return result;
}

/* What is ready is ready, even when the deadline has passed. */
static int end_late(struct when *e)
{
	int result = 0;
	struct descriptor *d;

	descriptor_delist(fd_of(e), &e->waiter);
	d = enter_again(e, &result);
	if (!d)
		return -ETIMEDOUT;
	result = descriptor_look(d, fd_of(e), e->waiter.events);
	descriptor_leave(d, fd_of(e));
	return result > 0 ? result : -ETIMEDOUT;
}

/* It has been claimed; its timer and its list may still know it. Returns what it came to. */
static int end_wait(struct worker *w, struct when *e)
{
	struct waiter *me = &e->waiter;

	/* Relaxed: who comes too late to claim it may still be looking. */
	if (load_relaxed(&me->state) == IDLE) /* it has not waited yet */
		return me->result;
	count_up(&w->whens_ended); /* relaxed inside: a statistic */
	if (me->timer.when != FILCH_NEVER)
		timer_disarm(&me->timer);
	return me->result == -ETIMEDOUT ? end_late(e) : me->result;
}

static void run_when(struct filch_slot_ *slot)
{
	struct worker *w = worker_here();
	struct when *e = when_in(slot);
	filch_ready_fn *fn = e->fn;
	void *arg = e->arg;
	int result = end_wait(w, e);

	if (!result)
		result = wait_again(w, e);
	if (!result)
		return;
	when_give(&w->whens, &w->rt->whens, e);
	task_begin(w, (filch_fn *)(uintptr_t)fn, NULL);
	fn(result, arg);
	task_end(worker_here(), NULL);
}

/* 0: it waits, or runs soon. */
static int start(struct filch *rt, struct worker *in, struct when *e, struct descriptor *d)
{
	int result = in ? wait_in_list(in, e, d, e->waiter.timer.when)
	                : descriptor_look(d, fd_of(e), e->waiter.events);

	if (!result && in)
		return 0;
	if (result < 0 && result != -ECANCELED)
		return result;
	e->waiter.result = result;
	e->waiter.state = IDLE;
	if (in)
		ready_here(in, when_item(&e->waiter));
	else
		ready_from_outside(rt, when_item(&e->waiter));
	return 0;
}

static int submit(struct filch *rt, struct descriptor *d, const struct when *e)
{
	struct worker *in = worker_of(rt);
	int error = task_count_in(rt, in);
	struct whens *in_hand = in ? &in->whens : NULL;
	struct when *mine;

	if (error)
		return error;
	mine = when_take(in_hand, &rt->whens);
	if (mine) {
		*mine = *e;
		error = start(rt, in, mine, d);
		if (!error)
			return 0;
		when_give(in_hand, &rt->whens, mine);
	}
	task_take_back(rt);
	return mine ? error : -ENOMEM;
}

int filch_submit_when(filch *rt, int fd, short events, int64_t deadline, filch_ready_fn *fn,
                      void *arg)
{
	struct when e = { .run = run_when,
		          .fn = fn,
		          .arg = arg,
		          .waiter = { .what = FOR_EVENT,
		                      .events = events,
		                      .rt = rt,
		                      .value = (void *)(intptr_t)fd,
		                      .timer = { .when = deadline } } };
	struct descriptor *d;
	int result = -EBADF;

	if (!rt || !fn)
		return -EINVAL;
	d = descriptor_enter(fd, &result);
	if (!d)
		return result;
	e.waiter.closes = load_seq(&d->closes);
	result = submit(rt, d, &e);
	descriptor_leave(d, fd);
	return result;
}
