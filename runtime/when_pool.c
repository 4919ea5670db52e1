/* SPDX-License-Identifier: MIT */
#include "when_pool.h"

#include <errno.h>
#include <stdlib.h>

#include "lock.h"
#include "populate.h"
#include "saved_errno.h"
#include "when.h"

#define BATCH 32  /* to move between a worker and the pool at once */
#define BLOCK 128 /* to allocate at once: four pages */

static void put(struct whens *list, struct when *e)
{
	e->link = list->free;
	list->free = e;
	list->count++;
}

static struct when *get(struct whens *list)
{
	struct when *e = list->free;

	if (e) {
		list->free = e->link;
		list->count--;
	}
	return e;
}

static void move(struct whens *from, struct whens *to, unsigned n)
{
	for (struct when *e; n > 0 && (e = get(from)); n--)
		put(to, e);
}

/* With the lock held. The first of a block links the blocks. */
static void add_block(struct when_pool *pool)
{
	int saved = errno;
	struct when *block = aligned_alloc(4096, BLOCK * sizeof(*block));

	restore_errno(saved);
	if (!block)
		return;
	populate(block, BLOCK * sizeof(*block));
	block->link = pool->blocks;
	pool->blocks = block;
	for (int i = BLOCK - 1; i > 0; i--)
		put(&pool->free, block + i);
}

static struct when *refill(struct whens *in_hand, struct when_pool *pool)
{
	struct when *e;

	lock(&pool->word);
	if (!pool->free.count)
		add_block(pool);
	e = get(&pool->free);
	if (in_hand)
		move(&pool->free, in_hand, BATCH - 1);
	unlock(&pool->word, 0);
	return e;
}

struct when *when_take(struct whens *in_hand, struct when_pool *pool)
{
	struct when *e = in_hand ? get(in_hand) : NULL;

	return e ? e : refill(in_hand, pool);
}

void when_give(struct whens *in_hand, struct when_pool *pool, struct when *e)
{
	if (in_hand)
		put(in_hand, e);
	if (in_hand && in_hand->count < 2 * BATCH)
		return;
	lock(&pool->word);
	if (in_hand)
		move(in_hand, &pool->free, BATCH);
	else
		put(&pool->free, e);
	unlock(&pool->word, 0);
}

void when_pool_destroy(struct when_pool *pool)
{
	while (pool->blocks) {
		struct when *block = pool->blocks;

		pool->blocks = block->link;
		free(block);
	}
}
