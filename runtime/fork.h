/* SPDX-License-Identifier: MIT */
/*
 * Fork and join: the functions behind FILCH_TASK are declared in filch_task.h, publish_private() in
 * worker.h. Here is how split and the slots of a stack are changed, by its owner or by who raids its
 * private forks (fork.c); and the serial elision, in which every fork runs at its join.
 */
#ifndef FORK_H
#define FORK_H

#include "barrier.h"
#include "worker.h"

/*
 * The watcher's two looks at a stack with private forks: does no fork or join pass between them?
 * Then others may raid it.
 */
bool fork_look(struct stack *s, uint32_t *changes); /* false: no need to look again */
bool fork_found_still(struct stack *s, uint32_t changes);

/*
 * A raid: half of the private forks of a stack whose owner computes, without its help; all but the
 * oldest, which is returned, go to w's deque. NULL: there are none, or the owner has come.
 */
struct filch_slot_ *raid_forks(struct worker *w, struct stack *s);
bool may_be_raided(struct stack *s); /* a hint */

void set_slots(struct stack *s, struct slots *slots); /* NULL: none; by its owner, without a frame */

void stop_raid(struct stack *s);

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
		stop_raid(s);
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

/* Run a slot without a runtime. */
void run_serial(struct filch_slot_ *slot);

/* The words that a slot's task is to use if it runs serially, or NULL. */
struct filch_stack_ *serial_of(struct filch_slot_ *slot);
bool serial_words(struct filch_stack_ *words);

#endif
