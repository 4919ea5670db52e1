/* SPDX-License-Identifier: MIT */
/*
 * Everything that is queued is a slot: a fork, a task, or a stack that may go on. Its first word
 * says how to run it, so that the loop knows no kinds. The second links those that are in an inbox
 * or in a free list; forks never are.
 */
#ifndef ITEM_H
#define ITEM_H

#include "atomic.h"
#include "include/filch.h"

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline struct filch_slot_ *item_next(struct filch_slot_ *item)
{
	return item->state;
}

static inline void item_set_next(struct filch_slot_ *item, struct filch_slot_ *next)
{
	item->state = next;
}

#endif
