/* SPDX-License-Identifier: MIT */
/*
 * Memory for tasks: slots that are recycled and never given back before the runtime is freed. Each
 * worker has some in hand.
 */
#ifndef NODE_H
#define NODE_H

#include "inbox.h"

struct nodes { /* in hand of one worker, or of the threads outside that share an inbox */
	struct filch_slot_ *some;    /* linked by item_next() */
	unsigned count;              /* of these */
	struct filch_slot_ *batches; /* more of the kind: each is the first of a batch */
};

struct node_pool {            /* one a runtime */
	struct inbox batches; /* what somebody has too much of */
	struct inbox blocks;  /* all memory, to be freed in the end */
};

bool node_refill(struct nodes *n, struct node_pool *pool);

/* NULL without memory. */
static inline struct filch_slot_ *node_take(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *node;

	if (!n->some && !node_refill(n, pool))
		return NULL;
	node = n->some;
	n->some = item_next(node);
	n->count--;
	__builtin_prefetch(n->some, 1);
	return node;
}

struct filch_slot_ *node_take_one(struct node_pool *pool); /* for who has none in hand */
void node_give(struct nodes *n, struct node_pool *pool, struct filch_slot_ *node);
void node_pool_destroy(struct node_pool *pool);

#endif
