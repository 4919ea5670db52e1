/* SPDX-License-Identifier: MIT */
/*
 * Raids: taking the private forks of a task that computes. And how a stack's owner changes split,
 * which raiders change too. The argument is in raid.c.
 */
#ifndef RAID_H
#define RAID_H

#include "barrier.h"
#include "worker.h"

/*
 * The watcher's two looks at a stack with private forks: does no fork or join pass between them?
 * Then others may raid it.
 */
bool raid_look(struct stack *s, uint32_t *changes); /* false: no need to look again */
bool raid_allow(struct stack *s, uint32_t changes);

/*
 * A raid: half of the private forks of a stack whose owner computes, without its help; all but the
 * oldest, which is returned, go to w's deque. NULL: there are none, or the owner has come.
 */
struct filch_slot_ *raid_forks(struct worker *w, struct stack *s);
bool raid_possible(struct stack *s); /* a hint */

void raid_stop(struct stack *s);

/* Around each change by the owner, and each look at split on which one depends. */
static inline void begin_change(struct stack *s)
{
	/* Relaxed: the owner's own. */
	barrier_store(&s->changes, load_relaxed(&s->changes) + 1);
	/*
	 * After changes, by the barrier that a raider makes us pass. Acquire: what he took before we
	 * go on. Pairs with raid_forks().
	 */
	if (load_acquire(&s->raid))
		raid_stop(s);
}

static inline void end_change(struct stack *s)
{
	/* Release: the change before it. Pairs with raid_forks(). */
	store_release(&s->changes, load_relaxed(&s->changes) + 1); /* relaxed: its own */
}

static inline void set_split(struct stack *s, struct filch_slot_ *split)
{
	store_relaxed(&s->split, split); /* relaxed: others look at it for a hint */
}

#endif
