/* SPDX-License-Identifier: MIT */
/* What waits for a descriptor without a stack: filch_submit_when. */
#ifndef WHEN_H
#define WHEN_H

#include "item.h"
#include "waiter.h"

/* Two cache lines. The first two fields are those of struct filch_slot_, as which it is queued. */
struct __attribute__((may_alias, aligned(64))) when {
	void (*run)(struct filch_slot_ *slot);
	void *link;
	filch_ready_fn *fn;
	void *arg;
	struct waiter waiter; /* in the descriptor's list; value: the descriptor */
};

static inline struct when *when_of(struct waiter *w)
{
	return container_of(w, struct when, waiter);
}

static inline struct filch_slot_ *when_item(struct waiter *w)
{
	return (struct filch_slot_ *)(void *)when_of(w);
}

#endif
