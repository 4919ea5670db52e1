/* SPDX-License-Identifier: MIT */
/*
 * Whom to steal from, and how to be noticed by those who keep their forks private.
 */
#ifndef STEAL_H
#define STEAL_H

#include "worker.h"

/*
 * One look at everybody, a random one first; what was taken beyond the one returned lies in w's
 * ready queue. The last one before it sleeps leaves nothing to anybody.
 */
struct filch_slot_ *steal(struct worker *w, bool last);

/* One more fork from whom the last one was taken from, or NULL: the shortest way, before a search. */
struct filch_slot_ *steal_again(struct worker *w);

/* Take from others, or sleep until there may be something. NULL when leaving. search.c. */
struct filch_slot_ *search(struct worker *w);

/*
 * Move what threads outside have left with a worker, or a good deal of it, to w's ready queue, where
 * everybody can steal it.
 */
void collect(struct worker *w, struct worker *from);

/* From workers that the watcher found stuck: to w's ready queue; true: they have forks, too. */
bool rescue(struct worker *w);
struct filch_slot_ *rescue_fork(struct worker *w); /* one of these, or NULL */

bool has_mail(const struct worker *w); /* is there anything of the kind? */
/* One of the tasks that threads outside have submitted to w, or NULL. */
struct filch_slot_ *oldest_arrival(struct worker *w);

/* Ask every other worker to publish forks: the argument is in fork.c. After parking_search(). */
void poison_others(struct worker *w);

void poison_stack(struct stack *s); /* one, from any thread */

/* Wake what waits for a deadline that has passed. */
void expire(struct timers *ts);

/* Is there anything that a searching worker would find: forks too, and not what but has ready? */
bool anything(struct filch *rt, bool forks, const struct worker *but);
bool any_forks(struct filch *rt); /* in deques */
bool anything_private(struct filch *rt); /* forks that it would take by a raid */

/* At the end of w's ready queue. */
void ready_many(struct worker *w, void **items, int64_t n);

void wake_all(struct filch *rt); /* wake.c */

#endif
