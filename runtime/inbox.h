/* SPDX-License-Identifier: MIT */
/*
 * Items from threads outside the pool. Anybody may put; anybody may take, which takes all that is
 * there.
 */
#ifndef INBOX_H
#define INBOX_H

#include "atomic.h"
#include "item.h"

struct inbox {
	struct filch_slot_ *newest __attribute__((aligned(CACHE_LINE)));
};

void inbox_put(struct inbox *in, struct filch_slot_ *item);

/* All items, oldest first, linked by item_next(); NULL if there is none. */
struct filch_slot_ *inbox_take(struct inbox *in);

static inline bool inbox_empty(const struct inbox *in)
{
	return !load_seq(&in->newest);
}

#endif
