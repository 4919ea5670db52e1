/* SPDX-License-Identifier: MIT */
/*
 * The work-stealing deque. One owner pushes and pops at the bottom; anybody may steal at the top.
 *
 *			push, pop, pop_if	steal, take, size
 *	owner		yes			yes
 *	anybody		no			yes
 *
 * An owner that never pops, and takes its own from the top as everybody does, has a
 * first-in-first-out queue.
 */
#ifndef DEQUE_H
#define DEQUE_H

#include <stddef.h>

#include "atomic.h"

struct deque_array {
	uint64_t mask;       /* capacity - 1; the capacity is a power of two */
	void *for_retire; /* the deque, for retire(); then its to use */
	void *entry[];
};

struct deque {
	/* The oldest entry; thieves move it up. */
	uint64_t top __attribute__((aligned(CACHE_LINE)));
	/* One above the youngest; the owner moves it. */
	uint64_t bottom __attribute__((aligned(CACHE_LINE)));
	struct deque_array *array;
	/* The owner's last look at top: it only grows, so this errs on the full side. */
	uint64_t seen_top;
	/* What to do with an array that thieves may still be reading. */
	void (*retire)(struct deque_array *old);
	struct deque_array *kept; /* by deque_keep() */
};

/*
 * Start with this capacity (a power of two, 2 or more) and at this index, which tests put near the
 * edges. -ENOMEM.
 */
int deque_init(struct deque *d, size_t capacity, uint64_t index,
               void (*retire)(struct deque_array *));
void deque_destroy(struct deque *d);

/*
 * For retire: keep it until the deque is destroyed. Each array is half of the next, so together
 * those kept are as big as the one in use at most.
 */
void deque_keep(struct deque_array *old);

/*
 * Push n items, the first of them on top, so that thieves see all or none. -ENOMEM: nothing was
 * pushed.
 */
int deque_push(struct deque *d, void *const *items, int64_t n);

int deque_push_one(struct deque *d, void *item);

void *deque_pop(struct deque *d);               /* the youngest, or NULL */
bool deque_pop_if(struct deque *d, void *item); /* pop the youngest if it is this one */
void *deque_steal(struct deque *d);             /* the oldest, or NULL */
void *deque_oldest(struct deque *d); /* the same, and leave it there: for a hint, it may be gone by now */

/*
 * Take up to n of the oldest at once, oldest first; returns how many. Only from a deque whose owner
 * never pops.
 */
int64_t deque_take(struct deque *d, void **items, int64_t n);

/* How many entries there are: exact for an owner without thieves, a hint for others. */
static inline int64_t deque_size(const struct deque *d)
{
	int64_t size = (int64_t)(load_seq(&d->bottom) - load_seq(&d->top));

	return size > 0 ? size : 0;
}

#endif
