/* SPDX-License-Identifier: MIT */
/* Nodes alone: none is handed out twice, and blocks come back from whoever gave back their last node. */
#include "node.h"

#include "../support.h"

TestSuite(node, .timeout = WATCHDOG);

#define MANY 1000

static struct filch_slot_ *take(struct nodes *n, struct node_pool *pool)
{
	struct filch_slot_ *node = node_take(n, pool);

	CHECK(node);
	return node;
}

static long slabs(const struct node_pool *pool)
{
	long n = 0;

	for (struct filch_slot_ *slab = pool->slabs; slab; slab = *(struct filch_slot_ **)(void *)(slab->data + 8))
		n++;
	return n;
}

Test(node, those_in_use_are_different_lines_and_writable)
{
	static struct filch_slot_ *node[MANY];
	struct node_pool pool = { 0 };
	struct nodes n = { 0 };

	for (int i = 0; i < MANY; i++) {
		node[i] = take(&n, &pool);
		CHECK((uintptr_t)node[i] % sizeof(*node[i]) == 0);
		memset(node[i], 0, sizeof(*node[i]));
		node[i]->state = node[i];
	}
	for (int i = 0; i < MANY; i++)
		CHECK(node[i]->state == node[i]);
	node_pool_destroy(&pool);
}

/* Given back in order, in reverse, and every other one first. */
static int order(int round, int i)
{
	if (round % 3 == 0)
		return i;
	return round % 3 == 1 ? MANY - 1 - i : i < MANY / 2 ? 2 * i : 2 * (i - MANY / 2) + 1;
}

Test(node, memory_does_not_grow_with_the_number_of_nodes)
{
	static struct filch_slot_ *node[MANY];
	struct node_pool pool = { 0 };
	struct nodes taker = { 0 }, giver = { 0 };
	long after_one = 0;

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < MANY; i++)
			node[i] = take(&taker, &pool);
		for (int i = 0; i < MANY; i++)
			node_give(round % 2 ? &taker : &giver, &pool, node[order(round, i)]);
		if (round == 3)
			after_one = slabs(&pool);
	}
	CHECK_EQ(slabs(&pool), after_one);
	node_pool_destroy(&pool);
}

Test(node, one_taken_alone_gives_its_block_back)
{
	struct node_pool pool = { 0 };
	struct nodes n = { 0 };

	for (int i = 0; i < MANY; i++) {
		struct filch_slot_ *node = node_take_alone(&pool);

		CHECK(node);
		node_give(&n, &pool, node);
	}
	CHECK(slabs(&pool) <= 4);
	node_pool_destroy(&pool);
}

/* ---- several threads ---- */

#define THREADS 4
#define RING    512 /* nodes that lie between who takes and who gives */

struct user {
	struct node_pool *pool;
	void **ring;
	long count;
	bool alone;
};

/* Each takes nodes, says that they are in use, and exchanges them for older ones, often of others, to give back. */
static void *use(void *user)
{
	struct user *u = user;
	struct nodes n = { 0 };

	for (long i = 0; i < u->count; i++) {
		struct filch_slot_ *node = u->alone && i % 4 == 0 ? node_take_alone(u->pool) : take(&n, u->pool), *old;

		CHECK(node && __atomic_exchange_n((void **)(void *)node->data, node, __ATOMIC_RELAXED) != node);
		old = __atomic_exchange_n(&u->ring[(i * 7 + (i >> 5)) % RING], node, __ATOMIC_ACQ_REL);
		if (!old)
			continue;
		CHECK(__atomic_exchange_n((void **)(void *)old->data, NULL, __ATOMIC_RELAXED) == old);
		node_give(&n, u->pool, old);
	}
	node_settle(&n, u->pool);
	return NULL;
}

static void use_together(bool alone)
{
	static void *ring[RING];
	struct node_pool pool = { 0 };
	struct user u = { &pool, ring, rounds(20000000) / THREADS, alone };
	pthread_t id[THREADS];

	for (int i = 0; i < THREADS; i++)
		id[i] = thread(use, &u);
	for (int i = 0; i < THREADS; i++)
		join_thread(id[i]);
	node_pool_destroy(&pool);
}

Test(node, no_two_threads_have_the_same_one)
{
	use_together(false);
}

Test(node, no_two_threads_have_the_same_one_when_some_take_them_alone)
{
	use_together(true);
}

/* ---- the pool: a block that comes back under a pop must not bring its old link (ABA) ---- */

struct swapper {
	struct node_pool *pool;
	long count;
};

static void *swap(void *swapper)
{
	struct swapper *s = swapper;

	for (long i = 0; i < s->count; i++) {
		struct filch_slot_ *node[2];
		struct nodes n = { 0 }; /* it keeps nothing: its blocks go on to the others */

		n.kept = 16;
		for (int j = 0; j < 2; j++) {
			node[j] = node_take_alone(s->pool);
			CHECK(node[j] && __atomic_exchange_n((void **)(void *)node[j]->data, node[j], __ATOMIC_RELAXED) != node[j]);
		}
		for (int j = 0; j < 2; j++) {
			int first = i & 1 ? j : 1 - j;

			__atomic_store_n((void **)(void *)node[first]->data, NULL, __ATOMIC_RELAXED);
			node_give(&n, s->pool, node[first]);
		}
		node_settle(&n, s->pool);
	}
	return NULL;
}

Test(node, blocks_that_come_and_go_are_had_by_one_thread_each)
{
	struct node_pool pool = { 0 };
	struct swapper s = { &pool, rounds(10000000) / THREADS };
	pthread_t id[THREADS];

	for (int i = 0; i < THREADS; i++)
		id[i] = thread(swap, &s);
	for (int i = 0; i < THREADS; i++)
		join_thread(id[i]);
	CHECK(slabs(&pool) <= 3); /* none was lost, or there were more */
	node_pool_destroy(&pool);
}
