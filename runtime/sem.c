/* SPDX-License-Identifier: MIT */
/*
 * A counting semaphore: the word holds the count. A post with somebody waiting goes to the one that
 * waits longest.
 */
#include <errno.h>

#include "include/filch.h"
#include "wait.h"

void filch_sem_init(filch_sem *s, unsigned value)
{
	*s = (filch_sem)FILCH_SEM_INIT(value);
}

int filch_sem_wait(filch_sem *s, int64_t deadline)
{
	uint64_t word = load_relaxed(&s->word_); /* relaxed: the CAS checks it */
	struct waiter thread, *w;

	while (word >= VALUE_ONE && !(word & LOCKED)) {
		/* Acquire: what the poster did before. Pairs with filch_sem_post(). */
		if (cas_acquire(&s->word_, &word, word - VALUE_ONE))
			return 0;
	}
	w = wait_begin(&thread, FOR_SEM, deadline);
	word = lock(&s->word_);
	if (word < VALUE_ONE)
		return wait_in(&s->word_, word, &s->waiters_, w, deadline);
	unlock(&s->word_, word - VALUE_ONE);
	return 0;
}

void filch_sem_post(filch_sem *s)
{
	uint64_t word = load_relaxed(&s->word_); /* relaxed: the CAS checks it */
	struct waiter *w;

	while (!(word & (LOCKED | WAITERS))) {
		/* Release: what the poster did before. Pairs with filch_sem_wait(). */
		if (cas_acq_rel(&s->word_, &word, word + VALUE_ONE))
			return;
	}
	word = lock(&s->word_);
	w = wait_take(&s->waiters_, 0);
	word = (word & ~WAITERS) | (s->waiters_ ? WAITERS : 0);
	unlock(&s->word_, w ? word : word + VALUE_ONE);
	if (w)
		waiter_wake(w);
}
