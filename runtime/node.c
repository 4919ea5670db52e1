/* SPDX-License-Identifier: MIT */
/*
 * A block is a page of slots: the first is the block's own, the others are nodes. It is handed out
 * node after node, so that who fills tasks in and who runs them both walk through memory in order,
 * which processors are good at, and neither reads a link that another one has written last. Its
 * nodes come back in any order and from any worker; they are only counted (left), many in one step
 * when a worker has gone on to nodes of another block. Whoever counts the last one has the block:
 * the count begins with all nodes, so that is at the earliest when all were handed out, and each
 * step on it is seq_cst, so all use of the nodes is before their next use.
 *
 * Who runs tasks collects blocks, who submits them needs blocks, and these are often not the same.
 * So what exceeds a few goes to the pool, and comes back from there, in chains of up to CHAIN blocks:
 * then the next block is known while one is being used, and its first lines are fetched meanwhile.
 * The pool is a list of chains that is pushed and popped by CAS (Treiber, as in inbox.c). A pop reads
 * the link of a chain that another may have popped meanwhile. That does no harm to memory, which is
 * not given back, and not to the list: beside the chain's number the word counts what was done to it,
 * so that a CAS succeeds only if nothing was, and then the link that was read is the one below the
 * top. The count has 28 bits: to deceive a pop it has to pass round while that one stands between its
 * load and its CAS.
 *
 * Memory grows with the tasks in flight and not with their number: a queued task keeps its block,
 * but queues are first-in-first-out, so blocks empty in about the order in which they were filled.
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>

#include "populate.h"
#include "saved_errno.h"

#define BLOCK      64 /* slots: a page */
#define CHAIN      8  /* blocks, at most: as many as anybody has in hand */
#define SLAB_FIRST 4  /* blocks to allocate at once, at first and at most */
#define SLAB_MOST  64

/* What the block's own slot holds, beside the link to the next of its chain. */
struct __attribute__((may_alias)) block {
	uint64_t left; /* nodes that were not given back */
	struct filch_slot_ *below; /* of the first in a chain: the next chain in the pool */
	uint64_t length;           /* of that chain, in blocks */
	/* Of the first in a slab. */
	struct filch_slot_ *older;
	uint64_t count; /* of blocks in this slab */
};

static struct block *block_in(struct filch_slot_ *slot)
{
	return (struct block *)(void *)slot->data;
}

static uint64_t slab_size(struct filch_slot_ *newest)
{
	uint64_t n = newest ? 2 * block_in(newest)->count : SLAB_FIRST;

	return n < SLAB_MOST ? n : SLAB_MOST;
}

static struct filch_slot_ *new_slab(struct node_pool *pool)
{
	/* Acquire: its count before we read it. Pairs with the CAS below. */
	struct filch_slot_ *newest = load_acquire(&pool->slabs), *slab;
	uint64_t n = slab_size(newest);
	int saved = errno;

	slab = aligned_alloc(4096, n * BLOCK * sizeof(*slab));
	restore_errno(saved);
	if (!slab)
		return NULL;
	populate(slab, n * BLOCK * sizeof(*slab));
	do
		*block_in(slab) = (struct block){ .older = newest, .count = n };
	/* Acq_rel: its count before who reads it. Pairs with the load above. */
	while (!cas_acq_rel(&pool->slabs, &newest, slab));
	return slab;
}

/* ---- the pool ---- */

#define CHANGE ((uint64_t)1)
#define CHANGES (((uint64_t)1 << 28) - 1)

static struct filch_slot_ *top_of(uint64_t word)
{
	return (struct filch_slot_ *)(uintptr_t)((word & ~CHANGES) >> 16);
}

static uint64_t next_word(uint64_t word, struct filch_slot_ *top)
{
	return (uint64_t)(uintptr_t)top << 16 | ((word + CHANGE) & CHANGES);
}

static void pool_push(struct node_pool *pool, struct filch_slot_ *chain, uint64_t length)
{
	uint64_t word = load_relaxed(&pool->free); /* relaxed: the CAS checks it */

	block_in(chain)->length = length;
	do
		/* Relaxed: the CAS publishes it. Pairs with pool_pop(). */
		store_relaxed(&block_in(chain)->below, top_of(word));
	/* Acq_rel: the links and the nodes' last use before who pops it. Pairs with pool_pop(). */
	while (!cas_acq_rel(&pool->free, &word, next_word(word, chain)));
}

static struct filch_slot_ *pool_pop(struct node_pool *pool)
{
	/* Acquire: the link before we read it. Pairs with the CAS in pool_push(). */
	uint64_t word = load_acquire(&pool->free), next;
	struct filch_slot_ *top;

	do {
		top = top_of(word);
		if (!top)
			return NULL;
		/* Relaxed: a link that is not the top's any more fails the CAS. */
		next = next_word(word, load_relaxed(&block_in(top)->below));
	/* Acq_rel: as above. */
	} while (!cas_acq_rel(&pool->free, &word, next));
	return top;
}

/* ---- blocks ---- */

/* The blocks from here on, one behind the other. */
static void link_up(struct filch_slot_ *chain, uint64_t length)
{
	for (uint64_t i = 0; i < length; i++)
		item_set_next(chain + i * BLOCK, i + 1 < length ? chain + (i + 1) * BLOCK : NULL);
}

/* One for the caller, whose length is then set too, the others for the pool. */
static struct filch_slot_ *new_chain(struct node_pool *pool)
{
	struct filch_slot_ *slab = new_slab(pool);
	uint64_t n = slab ? block_in(slab)->count : 0;

	while (n > 0) {
		uint64_t length = n < CHAIN ? n : CHAIN;

		n -= length;
		link_up(slab + n * BLOCK, length);
		if (n)
			pool_push(pool, slab + n * BLOCK, length);
		else
			block_in(slab)->length = length;
	}
	return slab;
}

static struct filch_slot_ *take_block(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *block = n->free;

	if (!block) {
		block = pool_pop(pool);
		if (!block && !(block = new_chain(pool)))
			return NULL;
		n->kept = (unsigned)block_in(block)->length;
	}
	n->free = item_next(block);
	n->kept--;
	return block;
}

/* Fetch what will be written when the open block is used up. */
static void fetch_ahead(const struct nodes *n, struct node_pool *pool)
{
	/* Relaxed: a hint. */
	const struct filch_slot_ *block = n->free ? n->free : top_of(load_relaxed(&pool->free));

	for (int i = 0; block && i <= NODES_AHEAD; i++)
		prefetch_write(block + i);
}

bool node_refill(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *block = take_block(n, pool);

	if (!block)
		return false;
	fetch_ahead(n, pool);
	block_in(block)->left = BLOCK - 1;
	n->next = block + 1;
	n->end = block + BLOCK;
	return true;
}

static void give_chain(struct nodes *n, struct node_pool *pool)
{
	if (n->free)
		pool_push(pool, n->free, n->kept);
	n->free = NULL;
	n->kept = 0;
}

static void give_block(struct nodes *n, struct node_pool *pool, struct filch_slot_ *block)
{
	if (n->kept == CHAIN)
		give_chain(n, pool);
	n->kept++;
	item_set_next(block, n->free);
	n->free = block;
}

void node_settle(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *block = n->giving;
	uint64_t given = n->given;

	if (!given)
		return;
	n->given = 0;
	if (add_seq(&block_in(block)->left, -given) == given)
		give_block(n, pool, block);
}

/* The open block stays, and with it nodes that nobody has used. */
void nodes_release(struct nodes *n, struct node_pool *pool)
{
	node_settle(n, pool);
	give_chain(n, pool);
}

struct filch_slot_ *node_take_alone(struct node_pool *pool)
{
	struct nodes n = { 0 };
	struct filch_slot_ *node = node_take(&n, pool);

	if (!node)
		return NULL;
	give_chain(&n, pool);
	block_in(node_block(node))->left = 1; /* the others are not handed out */
	return node;
}

void node_pool_destroy(struct node_pool *pool)
{
	struct filch_slot_ *slab = pool->slabs;

	while (slab) {
		struct filch_slot_ *older = block_in(slab)->older;

		free(slab);
		slab = older;
	}
}
