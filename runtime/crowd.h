/* SPDX-License-Identifier: MIT */
/*
 * More workers than CPUs: who counts as hungry for forks, and whom to wake for them. The argument is in
 * crowd.c.
 */
#ifndef CROWD_H
#define CROWD_H

#include "worker.h"

/* Would one of those that sleep be of use to forks? */
static inline bool sleeper_helps(const struct filch *rt, uint64_t hunger)
{
	uint64_t asleep = hunger / PARKED_ONE;

	return asleep && (load_seq(&rt->active) < rt->cpus + asleep || rt->places ||
	                  load_seq(&rt->long_forks) > LONG_FORKS / 2);
}

/* Is anybody hungry for forks, who would be of use? */
static inline bool forks_wanted(const struct filch *rt)
{
	uint64_t hunger = load_seq(&rt->parking.hunger);

	return (uint32_t)hunger || sleeper_helps(rt, hunger);
}

/*
 * wake_one() for a fork. By one look: between two of them whoever searches may go to sleep, and then a
 * sleeper that does not help would be woken.
 */
static inline void wake_for_fork(struct filch *rt)
{
	uint64_t hunger = load_seq(&rt->parking.hunger);

	if (!(uint32_t)hunger && sleeper_helps(rt, hunger))
		wake_some(rt);
}

/*
 * After the owner has taken from its deque of forks: there may be nothing left for whoever is
 * hungry.
 */
static inline void poison_if_hungry(struct worker *w)
{
	if (forks_wanted(w->rt))
		poison(w->current);
}

/* A series of thefts begins with what a search has found, and ends before the next one. */
void series_begin(struct worker *w);
void series_end(struct worker *w);

/* By the watcher, at each tick: has any stack private forks? */
void see_usage(struct filch *rt, struct usage *u, bool private);

#endif
