/* SPDX-License-Identifier: MIT */
/*
 * Slots for forks in flight: address space for four million of them, committed as it is touched, with
 * a guard behind.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include "item.h"

#define SLOTS_BYTES ((size_t)256 << 20)
#define SHALLOW     ((size_t)1 << 16) /* forks in flight, whose memory is kept for the next task */

struct slots {               /* at the start of its memory, which is aligned to its size */
	struct slots *next;  /* in a list of spare ones */
	struct stack *owner; /* whose forks are in it */
	bool deep;           /* there were over SHALLOW of them */
	struct filch_slot_ slot[];
};

struct slots *slots_new(void); /* NULL without memory */
void slots_free(struct slots *s);
void slots_clear(struct slots *s); /* give back what it has touched beyond its first page */

/* Behind the last slot: writing there ends in the guard. */
static inline struct filch_slot_ *slots_end(struct slots *s)
{
	return (struct filch_slot_ *)(void *)((char *)s + SLOTS_BYTES);
}

static inline struct slots *slots_of(struct filch_slot_ *slot)
{
	return (struct slots *)((uintptr_t)slot & ~(uintptr_t)(SLOTS_BYTES - 1));
}

#endif
