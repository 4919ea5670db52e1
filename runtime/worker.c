/* SPDX-License-Identifier: MIT */
/*
 * The loop. Every stack runs the same one, and an item is a plain call from it. A task that never
 * waits costs no switch. A task that waits leaves its stack behind, and its worker carries on with
 * the loop on a spare one (leave_stack). A stack that may go on is an item like any other: the loop
 * that takes it parks its own stack as a spare, inside the loop, and switches over (resume).
 *
 * Which worker this is must be read again after every switch and after every item: an item that
 * waited returns into the same loop frame on another worker.
 *
 * Only when the new stack runs is the old one handed to whoever will resume it (w->after): before
 * that its registers are not saved yet. What runs there copies its arguments first, since they lie
 * on the stack that it gives away.
 *
 * A worker whose thread ends, since there is one too many or the runtime has ended, does so between
 * two items: its stack stays behind as a spare, inside the loop like any other.
 */
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "crowd.h"
#include "descriptor.h"
#include "futex.h"
#include "hand.h"
#include "steal.h"

/* Items between two looks at what else is there: a prime, so that it falls in with no pattern. */
#define FAIR_TICK 61
#define REST      ((int64_t)5000000) /* ns between two looks whether there is memory */

/* Not static: worker_here() may name it in assembler. */
_Thread_local struct worker *worker_self_ __attribute__((tls_model("initial-exec"), used));

#if !defined(__x86_64__)
__attribute__((noinline)) struct worker *worker_here(void)
{
	/* A call with an effect: it can be neither merged with another nor moved. */
	__asm__ volatile("");
	return worker_self_;
}
#endif

/* ---- switching ---- */

/* Returns the worker that has come to this stack. */
static struct worker *arrive(struct stack *s)
{
	struct worker *w = worker_here();

	/* Release: the record before the pointer to it. Pairs with poison_others(). */
	store_release(&w->current, s);
	w->after(w, w->after_arg);
	return w;
}

/* Returns as arrive(), when this stack is switched to again. */
static struct worker *switch_to(struct worker *w, struct stack *to,
                                void (*after)(struct worker *, void *), void *arg)
{
	struct stack *from = w->current;

	w->after = after;
	w->after_arg = arg;
	poison(to);
	stack_switch(from, to);
	return arrive(from);
}

static void nothing(struct worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

void worker_resume(struct filch_slot_ *item)
{
	struct worker *w = worker_here();

	group_settle(w);
	switch_to(w, container_of(item, struct stack, item), keep_spare, w->current);
}

/* Has the watcher's clock moved since it looked at everything? */
static bool late(const struct worker *w)
{
	return load_relaxed(&w->rt->watch.now) != w->looked; /* relaxed: a time */
}

bool is_stack(const struct filch_slot_ *item)
{
	return item->run == worker_resume;
}

/* Is there nothing to look at but the ready queue? */
static bool only_ready(const struct worker *w)
{
	return !w->next && !late(w) && (w->tick + 1) % FAIR_TICK && w->turn == NO_TURN &&
	       !deque_size(&w->forks);
}

/*
 * Where to go on when a stack is left. If a stack is next in the ready queue, straight to it, which
 * saves a switch to a loop that would find just that. A spare's loop does all else, and a task that
 * was taken here is what it runs first. Nothing that locks is done here: who leaves may hold the
 * lock of what it waits for.
 */
static struct stack *next_stack(struct worker *w)
{
	struct filch_slot_ *item;

	if (!only_ready(w) || w->room || w->finished || !w->slots) /* without it no task goes on */
		return take_spare(w);
	item = deque_steal(&w->ready);
	if (!item || !is_stack(item)) {
		w->next = item;
		return take_spare(w);
	}
	count_up(&w->tick); /* relaxed inside: the watcher only compares */
	return container_of(item, struct stack, item);
}

/* Now and then at the end of the queue, so that such items do not keep the loop from looking around. */
void ready_next(struct worker *w, struct filch_slot_ *item)
{
	if (w->next || late(w))
		ready_here(w, item);
	else
		w->next = item;
}

static void leave(struct worker *w, bool straight, void (*after)(struct worker *w, void *arg),
                  void *arg)
{
	int saved = *w->errno_at;

	let_go(w);
	count_up(&w->stats.waits); /* relaxed inside: a statistic */
	if (w->current->slots)
		drop_slots(w, w->current);
	w = switch_to(w, straight ? next_stack(w) : take_spare(w), after, arg);
	*w->errno_at = saved; /* of the thread in which the task goes on */
}

void leave_stack(struct worker *w, void (*after)(struct worker *w, void *arg), void *arg)
{
	leave(w, true, after, arg);
}

void leave_for_loop(struct worker *w, void (*after)(struct worker *w, void *arg), void *arg)
{
	leave(w, false, after, arg);
}

/* ---- finding something to do ---- */

static bool claim_late(struct timer *t)
{
	return waiter_claim(container_of(t, struct waiter, timer), -ETIMEDOUT);
}

void expire(struct timers *ts)
{
	struct timer *due;

	if (timers_nearest(ts) == INT64_MAX)
		return;
	due = timers_expire(ts, filch_now(), claim_late);
	while (due) {
		struct timer *next = due->next;

		waiter_wake(container_of(due, struct waiter, timer));
		due = next;
	}
}

/* Notes when it looked last, and how long an item has taken since the time before. */
static void note_look(struct worker *w)
{
	int64_t now = load_relaxed(&w->rt->watch.now); /* relaxed: a time */

	if (now == w->looked)
		return;
	w->pace = (now - w->looked) / (w->tick - w->looked_tick + 1);
	if (w->pace < 0 || w->pace > SOON)
		w->pace = SOON;
	w->looked = now;
	w->looked_tick = w->tick;
}

/*
 * A single item is what this worker takes next, and of many short ones it will soon have done some:
 * nobody is woken for these. See park.c.
 */
void gather(struct worker *w)
{
	if (late(w) && load_relaxed(&w->rt->stuck) && rescue(w)) /* relaxed: a hint */
		begin_turn(w);
	note_look(w);
	collect(w, w);
	w->gathers = true;
	expire(&w->timers);
	if (poller_busy(w->poller))
		poller_poll(w->poller);
	w->gathers = false;
	if (needs_help(w, 0))
		wake_one(w->rt);
}

/* By the clock, since nobody knows how long an item takes; and not too often in a turn. */
static bool may_look(struct worker *w)
{
	return !w->room && late(w) &&
	       (w->looks || (w->turn == NO_TURN && !deque_size(&w->forks)));
}

/*
 * The youngest; after a look, the oldest: where tasks always fork again, it would wait for ever below
 * younger ones.
 */
static struct filch_slot_ *own_fork(struct worker *w)
{
	bool looked = w->looks < LOOKS;
	struct filch_slot_ *item;

	w->looks = LOOKS;
	if (!deque_size(&w->forks))
		return NULL;
	item = looked ? deque_steal(&w->forks) : deque_pop(&w->forks);
	if (item)
		poison_if_hungry(w);
	return item;
}

/*
 * The common case, a queue of tasks: any_item() would look at all else in vain, and then do the same.
 */
static struct filch_slot_ *ready_item(struct worker *w)
{
	struct filch_slot_ *item;

	if (!only_ready(w))
		return NULL;
	item = deque_steal(&w->ready);
	if (!item)
		return NULL;
	count_up(&w->tick); /* relaxed inside: the watcher only compares */
	if (!w->room) {
		w->looks = LOOKS; /* as after own_fork(), which would have found none */
		return item;
	}
	w->room--;
	return is_stack(item) && goes_behind(w, item) ? NULL : item;
}

static struct filch_slot_ *any_item(struct worker *w)
{
	struct filch_slot_ *item = w->next;

	count_up(&w->tick); /* relaxed inside: the watcher only compares */
	w->next = NULL;
	if (item)
		return item;
	if (may_look(w)) {
		gather(w);
		w->room = deque_size(&w->ready);
		w->looks -= w->looks > 0;
	} else if (w->tick % FAIR_TICK == 0) {
		gather(w);
		item = deque_steal(&w->ready);
	}
	if (!item && (w->room || w->turn))
		item = before_forks(w);
	if (!item)
		item = own_fork(w);
	if (!item)
		item = deque_steal(&w->ready);
	if (!item && has_mail(w)) {
		collect(w, w);
		item = deque_steal(&w->ready);
	}
	if (!item) {
		gather(w);
		item = deque_steal(&w->ready);
	}
	return item;
}

struct filch_slot_ *own_item(struct worker *w)
{
	struct filch_slot_ *item = ready_item(w);

	return item ? item : any_item(w);
}

void runtime_end(struct filch *rt)
{
	store_seq(&rt->active, 0u);
	wake_all(rt);
}

/* What is next here is for others. */
static void give_next(struct worker *w)
{
	if (w->next)
		ready_here(w, w->next);
	w->next = NULL;
}

/* It does not count as asleep, since it could begin nothing that it were woken for. */
static void rest(struct worker *w)
{
	int64_t bedtime = timers_bedtime(&w->timers), until = filch_after(REST);

	if (bedtime < until)
		until = bedtime;
	if (poller_busy(w->poller))
		poller_wait(w->poller, until);
	else
		futex_wait(&w->park.state, AWAKE, until);
	poller_deliver(w->poller);
}

/* No memory for a spare: resume what waits, which gives stacks back, and start nothing. */
static struct filch_slot_ *own_stack(struct worker *w)
{
	group_settle(w);
	give_next(w);
	gather(w);
	for (int64_t n = deque_size(&w->ready); n > 0; n--) {
		struct filch_slot_ *item = deque_steal(&w->ready);

		if (!item || is_stack(item))
			return item;
		ready_here(w, item); /* for others, who may have a spare */
	}
	if (load_seq(&w->rt->stopping) && runtime_quiet(w->rt))
		runtime_end(w->rt);
	rest(w);
	return NULL;
}

static struct filch_slot_ *next_item(struct worker *w)
{
	struct filch_slot_ *item = NULL;

	let_go(w);
	w->submits = 0;
	while (!item && !leaving(w)) {
		if (!can_begin(w)) {
			item = own_stack(w);
			continue;
		}
		item = own_item(w);
		if (item)
			break;
		trim_slots(w);
		item = search(w);
	}
	return item;
}

void worker_loop(struct stack *s)
{
	arrive(s);
	for (;;) {
		struct worker *w = worker_here();
		struct filch_slot_ *item = next_item(w);

		if (item) {
			item->run(item);
			continue;
		}
		group_settle(w);
		give_next(w);
		switch_to(w, &w->thread, keep_spare, w->current);
	}
}

/* ---- a worker's life ---- */

int worker_init(struct worker *w, struct filch *rt, unsigned index)
{
	w->rt = rt;
	w->index = index;
	w->random = index * 2654435761u + 1;
	w->batch = 1;
	w->woken = true;
	w->current = &w->thread;
	w->park.state = AWAY;
	timers_init(&w->timers);
	if (deque_init(&w->forks, 256, 0, deque_keep) ||
	    deque_init(&w->ready, 256, 0, deque_keep))
		return -ENOMEM;
	for (int i = 0; i < PORTS; i++) {
		if (port_init(&w->port[i]))
			return -ENOMEM;
	}
	w->poller = poller_new(rt->pollers);
	if (!w->poller)
		return -EMFILE;
	get_spares(w); /* one to begin on, and one in hand */
	get_spares(w);
	return w->spare_count >= 2 && can_begin(w) ? 0 : -ENOMEM;
}

void worker_destroy(struct worker *w)
{
	if (w->poller)
		poller_free(w->poller);
	deque_destroy(&w->forks);
	deque_destroy(&w->ready);
	for (int i = 0; i < PORTS; i++)
		port_destroy(&w->port[i]);
	give_slots(w);
	give_spares(w, 0);
}

/*
 * What is queued here others will find. What only this thread would look at goes to them; a spare
 * stays, so that it needs no memory to come back.
 */
void worker_hand_over(struct worker *w)
{
	struct filch *rt = w->rt;

	timers_move(&w->timers, &rt->worker[0]->timers);
	wake(rt, rt->worker[0]); /* it may sleep for too long now */
	descriptors_forget(rt, w->poller);
	if (deque_size(&w->forks) || deque_size(&w->ready))
		wake_one(rt); /* perhaps nobody was: it would have come to them itself */
	give_spares(w, 1);
	give_slots(w);
	nodes_release(&w->nodes, &rt->nodes);
}

void worker_forget(void)
{
	worker_self_ = NULL;
}

void worker_main(struct worker *w)
{
	worker_self_ = w;
	w->errno_at = &errno;
	stack_adopt_thread(&w->thread);
	do {
		watch_rouse(w->rt);
		switch_to(w, take_spare(w), nothing, NULL);
	} while (!worker_left(w));
	while (load_seq(&w->wakers))
		sched_yield();
	worker_self_ = NULL;
}
