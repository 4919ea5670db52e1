/* SPDX-License-Identifier: MIT */
/*
 * A lock that is one bit of a word; the rest of the word is the owner's to use (a count, a flag),
 * and unlocking writes all of it in one store. That store is the holder's last access: an object
 * that is freed by whoever sees the new value is freed in time.
 *
 * For sections of a few instructions on the slow paths of waiting, never across user code, and
 * across a system call only where the code says who may have to wait (descriptor.c, ready.c,
 * staged.c, call.h). A holder may lose its processor, so whoever waits gives up its own after a
 * while.
 */
#ifndef LOCK_H
#define LOCK_H

#include <sched.h>

#include "atomic.h"

#define LOCKED ((uint64_t)1)

/* Returns the word as it was, without the bit. Nobody else changes the word until unlock(). */
static inline uint64_t lock(uint64_t *word)
{
	for (unsigned spins = 0;; spins++) {
		uint64_t value = load_relaxed(word); /* relaxed: the CAS checks it */

		/*
		 * Acquire: the last holder's section before ours. Pairs with the store_release in
		 * unlock(). Not tried while it is locked, which would take the line from its
		 * holder.
		 */
		if (!(value & LOCKED) && cas_acquire(word, &value, value | LOCKED))
			return value;
		if (spins < 64)
			spin_pause();
		else
			sched_yield();
	}
}

static inline bool try_lock(uint64_t *word)
{
	uint64_t value = 0;

	/* Acquire: as lock(). */
	return cas_acquire(word, &value, LOCKED);
}

static inline void unlock(uint64_t *word, uint64_t value)
{
	/* Release: our section before the next holder's. Pairs with the CAS in lock(). */
	store_release(word, value);
}

#endif
