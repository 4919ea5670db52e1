/* SPDX-License-Identifier: MIT */
/*
 * Who runs tasks collects nodes, who submits them needs nodes, and these are often not the same. So
 * what exceeds a batch goes to the pool as a whole, and who has none takes everything that is
 * there: the list is pushed by CAS and taken whole, as an inbox, and has no ABA for the same
 * reason. Memory grows with the tasks in flight and not with their number.
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>

#include "saved_errno.h"

#define BATCH 64

/* What hangs on the first node of a batch, whose own link is the list's of batches. */
struct __attribute__((may_alias)) batch {
	struct filch_slot_ *rest;
	unsigned count; /* with the first */
};

static struct batch *batch_of(struct filch_slot_ *first)
{
	return (struct batch *)(void *)first->data;
}

static void put_batch(struct node_pool *pool, struct filch_slot_ *first, unsigned count)
{
	*batch_of(first) = (struct batch){ item_next(first), count };
	inbox_put(&pool->batches, first);
}

/* Room for n nodes, behind one that links the blocks. */
static struct filch_slot_ *new_block(struct node_pool *pool, size_t n)
{
	int saved = errno;
	struct filch_slot_ *block = aligned_alloc(CACHE_LINE, (n + 1) * sizeof(*block));

	restore_errno(saved);
	if (!block)
		return NULL;
	inbox_put(&pool->blocks, block);
	return block + 1;
}

static bool add_block(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *node = new_block(pool, BATCH);

	for (int i = BATCH - 1; node && i >= 0; i--) {
		item_set_next(node + i, n->some);
		n->some = node + i;
		n->count++;
	}
	return node;
}

bool node_refill(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *batch;

	if (!n->batches)
		n->batches = inbox_take(&pool->batches);
	batch = n->batches;
	if (!batch)
		return add_block(n, pool);
	n->batches = item_next(batch);
	item_set_next(batch, batch_of(batch)->rest);
	n->some = batch;
	n->count = batch_of(batch)->count;
	return true;
}

struct filch_slot_ *node_take_one(struct node_pool *pool)
{
	struct nodes n = { 0 };
	struct filch_slot_ *node = node_take(&n, pool);

	if (n.some)
		put_batch(pool, n.some, n.count);
	while (n.batches) {
		struct filch_slot_ *batch = n.batches;

		n.batches = item_next(batch);
		inbox_put(&pool->batches, batch);
	}
	return node;
}

void node_give(struct nodes *n, struct node_pool *pool, struct filch_slot_ *node)
{
	if (n->count == 2 * BATCH) {
		struct filch_slot_ *first = n->some, *last = first;

		for (int i = 1; i < BATCH; i++)
			last = item_next(last);
		n->some = item_next(last);
		n->count -= BATCH;
		item_set_next(last, NULL);
		put_batch(pool, first, BATCH);
	}
	item_set_next(node, n->some);
	n->some = node;
	n->count++;
}

void node_pool_destroy(struct node_pool *pool)
{
	struct filch_slot_ *block = inbox_take(&pool->blocks);

	while (block) {
		struct filch_slot_ *next = item_next(block);

		free(block);
		block = next;
	}
}
