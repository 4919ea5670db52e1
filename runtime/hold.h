/* SPDX-License-Identifier: MIT */
/*
 * Tasks that a worker holds back from its ready queue while nobody is hungry, to queue them together.
 * The argument is in hold.c.
 *
 *			open, add, close	raid, count, is_of
 *	owner		yes			yes
 *	anybody		no			yes
 */
#ifndef HOLD_H
#define HOLD_H

#include "lock.h"

#define HOLD 64 /* items */

struct filch_group;

struct hold {
	uint64_t word __attribute__((aligned(CACHE_LINE))); /* the lock: who closes or raids */
	uint32_t open;             /* items may be added without a look at who sleeps */
	uint32_t n;                /* items in it, while it is open */
	uint32_t taken;            /* by the last raid; protected by the lock */
	bool mine;                 /* the owner has opened it, and not heard of a raid */
	struct filch_group *group; /* what the items belong to */
	void *item[HOLD];
};

/*
 * An empty one; only where barrier_works_. The caller then looks, seq_cst, at who is hungry.
 */
void hold_open(struct hold *h, struct filch_group *group);

/* Move out what is in it, for the caller to queue. -1: it was raided. */
int64_t hold_close(struct hold *h, void **items);

/* The same, by anybody. -1: it is not open, or somebody is about to queue what was in it. */
int64_t hold_raid(struct hold *h, void **items, struct filch_group **group);

/* The owner finds it closed behind the item of this place: has a raider had that one? */
bool hold_lost(struct hold *h, uint32_t place);

/* To one that is mine and not full. False: it was raided, and this item is still the caller's. */
static inline bool hold_add(struct hold *h, void *item)
{
	uint32_t i = load_relaxed(&h->n); /* relaxed: the owner's own */

	/* Relaxed: before n. */
	store_relaxed(&h->item[i], item);
	/* Release: the item before n. Pairs with hold_raid(). */
	store_release(&h->n, i + 1);
	compiler_barrier();
	/* Relaxed: after n, by the barrier that a raider makes us pass. Pairs with hold_raid(). */
	return load_relaxed(&h->open) || hold_lost(h, i);
}

static inline bool hold_is_open(const struct hold *h)
{
	return load_seq(&h->open);
}

/* How many items are in it: a hint. */
static inline uint32_t hold_count(const struct hold *h)
{
	return hold_is_open(h) ? load_relaxed(&h->n) : 0; /* relaxed: a hint */
}

#endif
