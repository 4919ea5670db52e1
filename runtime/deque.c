/* SPDX-License-Identifier: MIT */
/*
 * D. Chase and Y. Lev, "Dynamic circular work-stealing deque", SPAA 2005; in C11 after N. M. Le, A.
 * Pop, A. Cohen and F. Zappalla Nardelli, "Correct and efficient work-stealing for weak memory
 * models", PPoPP 2013, with the fences moved onto the operations.
 *
 * Promise: every item that was pushed is returned by exactly one pop or steal. Push, pop and steal
 * are lock-free (push but for the allocator, when it grows).
 *
 * Why it is right.
 *
 * 1. An index leaves the deque in one of two ways: a CAS on top from it to the next, or a pop that
 *    found top below it. Two CAS cannot both move top from the same index, since top only grows.
 *
 * 2. A pop and a steal of the same index b. The pop stores bottom = b, then loads top; the thief
 *    loads top, then bottom; all four seq_cst. If the pop takes b without a CAS it read top < b. A
 *    thief that takes b read top = b, from a store to top that the pop's load did not see, so it is
 *    later in the single order than that load, and the thief's load of bottom later still: it sees
 *    bottom <= b, and finds the deque empty. For the last entry (top = b) both use the CAS of 1.
 *
 * 3. A thief that reads an entry sees what the owner wrote for this index: it read bottom > index
 *    from a store by the owner that followed the entry's. Every store to bottom is at least release
 *    and that load is acquire. Pop's stores too: a thief that reads bottom from a pop would
 *    otherwise have no happens-before with the pushes under it.
 *
 * 4. The entry is read before the CAS, what it points to only after. If the owner has reused the
 *    place meanwhile, top has moved (an index's place is reused only when the deque is shorter than
 *    its capacity, by the owner's view of top), and the CAS fails.
 *
 * 5. Growth copies [top, bottom) and publishes the new array with release; a thief loads it with
 *    acquire. One that still reads the old array reads the same entries there: the owner no longer
 *    writes to it. retire() must not free it yet: deque_keep().
 *
 * 6. Without pops nothing leaves but by CAS on top, so one CAS may take several: the argument of 4
 *    holds for each place.
 *
 * Indices are 64 bits and do not wrap in practice; only their differences are compared, so that
 * they may all the same.
 */
#include "deque.h"

#include <errno.h>
#include <stdlib.h>

#include "saved_errno.h"

#define ENTRIES 8 /* in a cache line */
#define AHEAD 12 /* items: when the first of a long queue is taken, this one's memory is fetched */

static __attribute__((noinline)) struct deque_array *array_new(size_t capacity)
{
	int saved = errno;
	struct deque_array *a = calloc(1, sizeof(*a) + capacity * sizeof(a->entry[0]));

	restore_errno(saved);
	if (a)
		a->mask = capacity - 1;
	return a;
}

/* The entries are atomic since a thief may read a place while the owner reuses it (4). */
static void put(struct deque_array *a, uint64_t index, void *item)
{
	/*
	 * Relaxed: the entry before the bottom that covers it; the order is bottom's. Pairs with
	 * deque_take().
	 */
	store_relaxed(&a->entry[index & a->mask], item);
}

static void *get(struct deque_array *a, uint64_t index)
{
	/* Relaxed: after bottom was loaded with acquire (3), or by the owner. */
	return load_relaxed(&a->entry[index & a->mask]);
}

int deque_init(struct deque *d, size_t capacity, uint64_t index,
               void (*retire)(struct deque_array *))
{
	d->top = d->bottom = d->seen_top = index;
	d->retire = retire;
	d->kept = NULL;
	d->array = array_new(capacity);
	return d->array ? 0 : -ENOMEM;
}

void deque_keep(struct deque_array *old)
{
	struct deque *d = old->for_retire;

	old->for_retire = d->kept;
	d->kept = old;
}

void deque_destroy(struct deque *d)
{
	while (d->kept) {
		struct deque_array *next = d->kept->for_retire;

		free(d->kept);
		d->kept = next;
	}
	free(d->array);
	d->array = NULL;
}

static struct deque_array *grow(struct deque *d, struct deque_array *old, uint64_t bottom,
                                uint64_t n)
{
	uint64_t capacity = 2 * (old->mask + 1);
	struct deque_array *a;

	while (capacity < bottom - d->seen_top + n)
		capacity *= 2;
	a = array_new(capacity);
	if (!a)
		return NULL;
	for (uint64_t i = d->seen_top; i != bottom; i++)
		put(a, i, get(old, i));
	/* Release: the copies before the array. Pairs with the load_acquire in deque_take(). */
	store_release(&d->array, a);
	old->for_retire = d;
	d->retire(old);
	return a;
}

static bool fits(const struct deque *d, const struct deque_array *a, uint64_t bottom, uint64_t n)
{
	return bottom - d->seen_top + n <= a->mask + 1;
}

int deque_push(struct deque *d, void *const *items, int64_t n)
{
	uint64_t bottom = load_relaxed(&d->bottom);      /* relaxed: the owner's own */
	struct deque_array *a = load_relaxed(&d->array); /* relaxed: the owner's own */

	if (!fits(d, a, bottom, (uint64_t)n)) {
		/*
		 * Acquire: a thief's reads of the places below top before we reuse them. Pairs with
		 * the CAS in deque_take().
		 */
		d->seen_top = load_acquire(&d->top);
		if (!fits(d, a, bottom, (uint64_t)n) && !(a = grow(d, a, bottom, (uint64_t)n)))
			return -ENOMEM;
	}
	for (int64_t i = 0; i < n; i++)
		put(a, bottom + (uint64_t)i, items[i]);
	/* Before the pusher's look at who sleeps: see park.c. */
	store_seq(&d->bottom, bottom + (uint64_t)n);
	return 0;
}

int deque_push_one(struct deque *d, void *item)
{
	uint64_t bottom = load_relaxed(&d->bottom);      /* relaxed: the owner's own */
	struct deque_array *a = load_relaxed(&d->array); /* relaxed: the owner's own */

	if (!fits(d, a, bottom, 1))
		return deque_push(d, &item, 1);
	put(a, bottom, item);
	prefetch_write(&a->entry[(bottom + 2 * ENTRIES) & a->mask]);
	store_seq(&d->bottom, bottom + 1); /* as in deque_push() */
	return 0;
}

void *deque_pop(struct deque *d)
{
	uint64_t bottom = load_relaxed(&d->bottom) - 1; /* relaxed: the owner's own */
	/* Relaxed: top only grows, so what looks empty is empty. */
	uint64_t top = load_relaxed(&d->top);
	void *item;

	if ((int64_t)(bottom - top) < 0)
		return NULL;
	item = get(load_relaxed(&d->array), bottom); /* relaxed: the owner's own */
	store_seq(&d->bottom, bottom);
	top = load_seq(&d->top);
	if ((int64_t)(bottom - top) > 0)
		return item;
	if (bottom != top || !cas_seq(&d->top, &top, top + 1))
		item = NULL;
	/*
	 * Release, as every store to bottom: the pushes below before this bottom (3). Pairs with
	 * deque_take().
	 */
	store_release(&d->bottom, bottom + 1);
	return item;
}

bool deque_pop_if(struct deque *d, void *item)
{
	uint64_t bottom = load_relaxed(&d->bottom) - 1; /* relaxed: the owner's own */

	/* Relaxed: top only grows, so what looks empty is empty; the entry is the owner's own. */
	if ((int64_t)(bottom - load_relaxed(&d->top)) < 0 ||
	    get(load_relaxed(&d->array), bottom) != item)
		return false;
	return deque_pop(d) == item;
}

int64_t deque_take(struct deque *d, void **items, int64_t n)
{
	for (;;) {
		uint64_t top = load_seq(&d->top);
		int64_t some = (int64_t)(load_seq(&d->bottom) - top);
		struct deque_array *a;

		if (some <= 0)
			return 0;
		if (some > n)
			some = n;
		/* Acquire: the array before its entries. Pairs with the store_release in grow(). */
		a = load_acquire(&d->array);
		for (int64_t i = 0; i < some; i++)
			items[i] = get(a, top + (uint64_t)i);
		if (cas_seq(&d->top, &top, top + (uint64_t)some))
			return some; /* somebody else has moved on otherwise: look again */
	}
}

void *deque_oldest(struct deque *d)
{
	uint64_t top = load_seq(&d->top);

	if ((int64_t)(load_seq(&d->bottom) - top) <= 0)
		return NULL;
	return get(load_acquire(&d->array), top); /* acquire: as in deque_take() */
}

void *deque_steal(struct deque *d)
{
	for (;;) {
		uint64_t top = load_seq(&d->top);
		struct deque_array *a;
		void *item;

		if ((int64_t)(load_seq(&d->bottom) - top) <= 0)
			return NULL;
		a = load_acquire(&d->array); /* acquire: as in deque_take() */
		item = get(a, top);
		__builtin_prefetch(get(a, top + AHEAD)); /* whatever lies there: only a hint */
		if (cas_seq(&d->top, &top, top + 1))
			return item; /* otherwise, as in deque_take() */
	}
}
