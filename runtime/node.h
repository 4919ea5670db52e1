/* SPDX-License-Identifier: MIT */
/*
 * Memory for tasks: nodes, handed out from blocks that are recycled and never given back before the
 * runtime is freed. Each worker has some in hand, and so has each port.
 */
#ifndef NODE_H
#define NODE_H

#include "item.h"

#define NODES_AHEAD 8 /* nodes whose memory is fetched before they are needed */

struct nodes { /* in hand of one worker, or of the threads that share a port */
	/* What was not yet handed out of the open block. */
	struct filch_slot_ *next, *end;
	struct filch_slot_ *free; /* a chain of blocks, linked by item_next() */
	unsigned kept;            /* how many these are */
	/* The block that the nodes given back last belong to, and how many of them. */
	struct filch_slot_ *giving;
	unsigned given;
};

struct node_pool { /* one a runtime */
	uint64_t free __attribute__((aligned(CACHE_LINE))); /* chains of blocks that somebody had too many of */
	struct filch_slot_ *slabs; /* all memory, to be freed in the end */
};

bool node_refill(struct nodes *n, struct node_pool *pool);
void node_settle(struct nodes *n, struct node_pool *pool);

static inline struct filch_slot_ *node_block(struct filch_slot_ *node)
{
	return (struct filch_slot_ *)((uintptr_t)node & ~(uintptr_t)4095);
}

/* Is there one without a look for a block? */
static inline bool node_at_hand(const struct nodes *n)
{
	return n->next != n->end;
}

/* One that is at hand. */
static inline struct filch_slot_ *node_next(struct nodes *n)
{
	if (n->next + NODES_AHEAD < n->end)
		prefetch_write(n->next + NODES_AHEAD);
	return n->next++;
}

/* NULL without memory. */
static inline struct filch_slot_ *node_take(struct nodes *n, struct node_pool *pool)
{
	return node_at_hand(n) || node_refill(n, pool) ? node_next(n) : NULL;
}

static inline void node_give(struct nodes *n, struct node_pool *pool, struct filch_slot_ *node)
{
	struct filch_slot_ *block = node_block(node);

	if (block != n->giving) {
		node_settle(n, pool);
		n->giving = block;
	}
	n->given++;
}

struct filch_slot_ *node_take_alone(struct node_pool *pool); /* for who has none in hand: a block for it */
void nodes_release(struct nodes *n, struct node_pool *pool); /* what is in hand, for others */
void node_pool_destroy(struct node_pool *pool);

#endif
