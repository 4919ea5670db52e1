/* SPDX-License-Identifier: MIT */
/*
 * Deadlines. Each worker has a heap of its own; a timer lies in whatever waits, so arming needs no
 * memory. Any thread may disarm or expire: the lock is nearly always taken by the worker that
 * armed.
 */
#ifndef TIMER_H
#define TIMER_H

#include "atomic.h"

struct timer {
	/* Prev: the elder sibling, or the parent of a first child. */
	struct timer *child, *next, *prev;
	struct timers *home; /* changes only under the locks of the old one and the new one */
	int64_t when;
	bool armed; /* protected by home's lock */
};

struct timers {
	uint64_t word __attribute__((aligned(CACHE_LINE))); /* the lock: protects the heap */
	struct timer *root;
	int64_t nearest; /* when the root is due, INT64_MAX without one; read without the lock */
};

void timers_init(struct timers *ts);
void timer_arm(struct timers *ts, struct timer *t, int64_t when);
void timer_disarm(struct timer *t); /* also when it has expired, but not when it was never armed */

/*
 * Take out what is due and for which claim() says true (it is called with the lock held, and must
 * not arm or disarm); linked by next. What claim() refuses is disarmed and not touched again.
 */
struct timer *timers_expire(struct timers *ts, int64_t now, bool (*claim)(struct timer *));

/*
 * Move everything to another heap. The two are locked together, so there is an order among heaps
 * that moves keep to (a worker that leaves moves its timers to worker 0, which never leaves).
 * Afterwards whoever sleeps until the other one's nearest deadline is to be woken.
 */
void timers_move(struct timers *from, struct timers *to);

/*
 * The nearest deadline, for who sleeps until then and has said so: a move that it does not see
 * sees it asleep.
 */
int64_t timers_bedtime(struct timers *ts);

static inline int64_t timers_nearest(const struct timers *ts)
{
	/*
	 * Relaxed: a hint; who must not miss one reads it after it was armed in the same thread, or
	 * visits again.
	 */
	return load_relaxed(&ts->nearest);
}

#endif
