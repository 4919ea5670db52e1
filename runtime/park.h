/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking: who is hungry, who sleeps, whom to wake. The argument is in park.c.
 */
#ifndef PARK_H
#define PARK_H

#include "atomic.h"

enum {
	AWAKE,
	PARKED,
	POLLING,
	CLAIMED,
	AWAY
}; /* POLLING: asleep in the poller, to be woken through it; AWAY: no thread, see resize.c */

struct park { /* one a worker */
	uint32_t state __attribute__((aligned(CACHE_LINE)));
};

struct parking { /* one a runtime */
	/* Workers that sleep << 32 | workers that search. */
	uint64_t hunger __attribute__((aligned(CACHE_LINE)));
};

#define SEARCHING_ONE ((uint64_t)1)
#define PARKED_ONE    ((uint64_t)1 << 32)

/* Is any worker without work? */
static inline bool parking_hungry(const struct parking *p)
{
	return load_seq(&p->hunger) != 0;
}

/* How many sleep: a hint. */
static inline unsigned parking_asleep(const struct parking *p)
{
	return (unsigned)(load_seq(&p->hunger) / PARKED_ONE);
}

/*
 * Should whoever made work available wake a worker? Not while one is searching: it will find the
 * work.
 */
static inline bool parking_wants_wake(const struct parking *p)
{
	uint64_t hunger = load_seq(&p->hunger);

	return hunger >= PARKED_ONE && (uint32_t)hunger == 0;
}

void parking_search(struct parking *p); /* this worker starts to search */
bool parking_found(
	struct parking
		*p); /* and has found something; true if nobody else searches: look for more */

/*
 * A searching worker goes to sleep: announce it (as PARKED or POLLING), look at everything again,
 * then sleep.
 */
void park_announce(struct parking *p, struct park *me, uint32_t how);
void park_sleep(struct park *me,
                int64_t deadline); /* PARKED: until woken, or the deadline, or for no reason */

/* Back to searching; true if somebody woke it. */
bool park_leave(struct parking *p, struct park *me);

/*
 * Take a sleeper out of its sleep; returns how it slept, AWAKE if it did not. The caller then wakes
 * it.
 */
uint32_t park_claim(struct parking *p, struct park *other);
void park_wake(struct park *other);

#endif
