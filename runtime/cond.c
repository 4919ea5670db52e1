/* SPDX-License-Identifier: MIT */
/*
 * Conditions. The waiter is in the list before it gives the mutex up, so a signal that comes after
 * a change under the mutex finds it. The mutex is given up when the list is unlocked again: its
 * wake-up may be a system call.
 */
#include <errno.h>

#include "include/filch.h"
#include "wait.h"

void filch_cond_init(filch_cond *c)
{
	*c = (filch_cond)FILCH_COND_INIT;
}

static void give_up(void *mutex)
{
	filch_mutex_unlock(mutex);
}

/*
 * The wait may be over, and the task on its way back to the mutex on another worker, before it has
 * been given up here: then it is to wait for that, and not to be told that it holds the mutex.
 */
static void disown(filch_mutex *m)
{
	/* Relaxed: compared by the owner alone, which goes on after this. Pairs with the load in
	 * filch_mutex_lock(). */
	store_relaxed(&m->owner_, (void *)NULL);
}

/* Also if there was no wait: who looks again and again would keep from the mutex who has news. */
static void let_others_lock(filch_mutex *m)
{
	filch_mutex_unlock(m);
	do
		filch_yield();
	while (filch_mutex_lock(m, FILCH_NEVER)); /* no memory for its forks: a little later */
}

int filch_cond_wait(filch_cond *c, filch_mutex *m, int64_t deadline)
{
	struct waiter thread, *w = wait_begin(&thread, FOR_COND, deadline);
	uint64_t word = lock(&c->word_);
	int result = wait_announce(w);

	if (result) {
		unlock(&c->word_, word);
		if (result != -ENOMEM)
			let_others_lock(m);
		return result;
	}
	disown(m);
	result = wait_in_then(&c->word_, word, &c->waiters_, w, deadline, give_up, m);
	filch_mutex_lock(m, FILCH_NEVER);
	return result;
}

static void wake(filch_cond *c, bool all)
{
	uint64_t word = lock(&c->word_);
	struct waiter *chain = all ? wait_take_all(&c->waiters_, 0, NULL)
	                           : wait_take(&c->waiters_, 0);

	if (chain && !all)
		chain->next = NULL;
	unlock(&c->word_, (word & ~WAITERS) | (c->waiters_ ? WAITERS : 0));
	waiters_wake(chain);
}

void filch_cond_signal(filch_cond *c)
{
	wake(c, false);
}

void filch_cond_broadcast(filch_cond *c)
{
	wake(c, true);
}
