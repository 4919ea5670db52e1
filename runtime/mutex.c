/* SPDX-License-Identifier: MIT */
/*
 * A mutex: the word holds HELD. Unlocking hands it to the one that waits longest, so it is fair and
 * needs no second look.
 */
#include <errno.h>

#include "include/filch.h"
#include "wait.h"

#define HELD VALUE_ONE

void filch_mutex_init(filch_mutex *m)
{
	*m = (filch_mutex)FILCH_MUTEX_INIT;
}

/* The owner is written only by the holder, and compared only with oneself, which needs no order. */
static void own(filch_mutex *m, void *owner)
{
	store_relaxed(&m->owner_, owner); /* relaxed: see above; pairs with filch_mutex_lock() */
}

static bool take_if_free(filch_mutex *m)
{
	uint64_t word = 0;

	/* Acquire: the last holder's section before ours. Pairs with filch_mutex_unlock(). */
	return cas_acquire(&m->word_, &word, HELD);
}

int filch_mutex_trylock(filch_mutex *m)
{
	if (!take_if_free(m))
		return -EBUSY;
	own(m, self_here());
	return 0;
}

static int lock_slowly(filch_mutex *m, void *self, int64_t deadline)
{
	struct waiter thread, *w = wait_begin(&thread, FOR_MUTEX, deadline);
	uint64_t word = lock(&m->word_);

	w->value = self;
	if (word & HELD)
		return wait_in(&m->word_, word, &m->waiters_, w, deadline);
	own(m, self);
	unlock(&m->word_, word | HELD);
	return 0;
}

int filch_mutex_lock(filch_mutex *m, int64_t deadline)
{
	void *self = self_here();

	if (take_if_free(m)) {
		own(m, self);
		return 0;
	}
	/* Relaxed: equal only if this task wrote it. */
	if (load_relaxed(&m->owner_) == self)
		return -EDEADLK;
	return lock_slowly(m, self, deadline);
}

void filch_mutex_unlock(filch_mutex *m)
{
	uint64_t word = HELD;
	struct waiter *w;

	own(m, NULL);
	/* Release: our section before the next holder's. Pairs with take_if_free(). */
	if (cas_acq_rel(&m->word_, &word, 0))
		return;
	lock(&m->word_);
	w = wait_take(&m->waiters_, 0);
	if (w)
		own(m, w->value);
	unlock(&m->word_, (w ? HELD : 0) | (m->waiters_ ? WAITERS : 0));
	if (w)
		waiter_wake(w);
}
