/* SPDX-License-Identifier: MIT */
/*
 * Tasks that a worker holds back from its ready queue while nobody is hungry for them, to queue them
 * together. The argument is in hold.c.
 *
 *			open, takes, add, lost, close	raid, is_open, count
 *	owner		yes				yes
 *	anybody		no				yes
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
 * An empty one; only where barrier_works_. The caller then looks again, seq_cst, at who is hungry.
 */
void hold_open(struct hold *h, struct filch_group *group);

/*
 * How many are in it: they stay in h->item for the caller to queue, until it adds another. -1: it was
 * raided.
 */
int64_t hold_close(struct hold *h);

/*
 * Close it and move out what is in it, by anybody. -1: it is not open, or somebody is about to queue
 * what was in it.
 */
int64_t hold_raid(struct hold *h, void **items, struct filch_group **group);

/* The owner finds it closed behind the last item: has a raider had that one? If not, it is its own. */
bool hold_lost(struct hold *h);

/* Is it mine, not full, and for items of this group? */
static inline bool hold_takes(const struct hold *h, const struct filch_group *group)
{
	/* Relaxed, both: the owner's own. */
	return h->mine && load_relaxed(&h->n) != HOLD && load_relaxed(&h->group) == group;
}

/* To one that is mine and not full. False: it is being raided; see hold_lost(). */
static inline bool hold_add(struct hold *h, void *item)
{
	uint32_t i = load_relaxed(&h->n); /* relaxed: the owner's own */

	/* Relaxed: before n. */
	store_relaxed(&h->item[i], item);
	/* Release: the item before n. Pairs with hold_raid(). */
	store_release(&h->n, i + 1);
	compiler_barrier();
	/* Relaxed: after n, by the barrier that a raider makes us pass. Pairs with hold_raid(). */
	return load_relaxed(&h->open);
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
