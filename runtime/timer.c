/* SPDX-License-Identifier: MIT */
/*
 * A pairing heap: M. L. Fredman, R. Sedgewick, D. D. Sleator and R. E. Tarjan, "The pairing heap: a
 * new form of self-adjusting heap", Algorithmica 1, 1986. Arming is one comparison; disarming what
 * was armed lately unlinks a leaf; the work is left to expiry, O(log n) amortised. Most deadlines
 * are disarmed long before they are due.
 */
#include "timer.h"

#include <stddef.h>

#include "lock.h"

void timers_init(struct timers *ts)
{
	*ts = (struct timers){ .nearest = INT64_MAX };
}

/* Both are roots without siblings; the earlier becomes the parent. Either may be NULL. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->when < a->when) {
		struct timer *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

/*
 * One heap of a list of siblings: meld them in pairs, left to right, then the pairs, right to left.
 */
static struct timer *meld_all(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL;

	while (first) {
		struct timer *a = first, *b = a->next, *pair;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct timer *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		root = meld(root, pair);
	}
	return root;
}

static void set_root(struct timers *ts, struct timer *root)
{
	if (root)
		root->prev = root->next = NULL;
	ts->root = root;
	/* Relaxed: a hint for those without the lock. Pairs with timers_nearest(). */
	store_relaxed(&ts->nearest, root ? root->when : INT64_MAX);
}

static void take_out(struct timers *ts, struct timer *t)
{
	t->armed = false;
	if (t == ts->root) {
		set_root(ts, meld_all(t->child));
		return;
	}
	if (t->prev->child == t)
		t->prev->child = t->next;
	else
		t->prev->next = t->next;
	if (t->next)
		t->next->prev = t->prev;
	if (t->child)
		set_root(ts, meld(ts->root, meld_all(t->child)));
}

void timer_arm(struct timers *ts, struct timer *t, int64_t when)
{
	*t = (struct timer){ .home = ts, .when = when, .armed = true };
	lock(&ts->word);
	set_root(ts, meld(ts->root, t));
	unlock(&ts->word, 0);
}

/* Lock the heap that a timer lies in, or lay in last. */
static struct timers *lock_home(struct timer *t)
{
	for (;;) {
		/* Relaxed: looked at again under the lock. Pairs with timers_move(). */
		struct timers *ts = load_relaxed(&t->home);

		lock(&ts->word);
		if (load_relaxed(&t->home) == ts) /* relaxed: as above */
			return ts;
		unlock(&ts->word, 0);
	}
}

void timer_disarm(struct timer *t)
{
	struct timers *ts = lock_home(t);

	if (t->armed)
		take_out(ts, t);
	unlock(&ts->word, 0);
}

struct timer *timers_expire(struct timers *ts, int64_t now, bool (*claim)(struct timer *))
{
	struct timer *due = NULL, **last = &due;

	if (timers_nearest(ts) > now)
		return NULL;
	lock(&ts->word);
	while (ts->root && ts->root->when <= now) {
		struct timer *t = ts->root;

		take_out(ts, t);
		if (claim(t)) {
			t->next = NULL;
			*last = t;
			last = &t->next;
		}
	}
	unlock(&ts->word, 0);
	return due;
}

/* One at a time, so that nobody waits for long. */
static bool move_one(struct timers *from, struct timers *to)
{
	struct timer *t;

	lock(&from->word);
	t = from->root;
	if (t) {
		lock(&to->word);
		take_out(from, t);
		t->child = t->next = t->prev = NULL;
		t->armed = true;
		store_relaxed(&t->home, to); /* relaxed: pairs with lock_home() */
		set_root(to, meld(to->root, t));
		unlock(&to->word, 0);
	}
	unlock(&from->word, 0);
	return t;
}

void timers_move(struct timers *from, struct timers *to)
{
	while (move_one(from, to))
		;
}

int64_t timers_bedtime(struct timers *ts)
{
	int64_t when;

	lock(&ts->word);
	when = timers_nearest(ts);
	unlock(&ts->word, 0);
	return when;
}
