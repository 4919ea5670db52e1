/* SPDX-License-Identifier: MIT */
/* One owner, many thieves, growth from two: every item exactly once. */
#include "deque.h"

#include "../support.h"

TestSuite(deque_stress, .timeout = 20 * WATCHDOG);

#define THIEVES 3
#define ARRAYS 64

struct game {
	struct deque d;
	long items, stolen, over;
	unsigned char *taken; /* how often each */
};

static struct deque_array *retired[ARRAYS];
static int retirements;

static void retire(struct deque_array *old)
{
	CHECK(retirements < ARRAYS);
	retired[retirements++] = old; /* thieves may be reading it */
}

static void take(struct game *g, void *item)
{
	long n = (long)(intptr_t)item - 1;

	CHECK(n >= 0 && n < g->items);
	CHECK_EQ(__atomic_fetch_add(&g->taken[n], 1, __ATOMIC_RELAXED), 0);
}

static void *steal_until_over(void *game)
{
	struct game *g = game;
	long mine = 0;

	while (!get(&g->over)) {
		void *item = deque_steal(&g->d);

		if (item) {
			take(g, item);
			mine++;
		}
	}
	add(&g->stolen, mine);
	return NULL;
}

/* Several at once, from an owner that never pops. */
static long take_some(struct game *g, int64_t n)
{
	void *items[8];

	n = deque_take(&g->d, items, n);
	for (int64_t i = 0; i < n; i++)
		take(g, items[i]);
	return n;
}

static void *take_until_over(void *game)
{
	struct game *g = game;
	long mine = 0;

	while (!get(&g->over))
		mine += take_some(g, 1 + mine % 8);
	add(&g->stolen, mine);
	return NULL;
}

static void push(struct game *g, long *next, int64_t n)
{
	void *items[64];

	for (int64_t i = 0; i < n; i++)
		items[i] = (void *)(intptr_t)++*next;
	CHECK_EQ(deque_push(&g->d, items, n), 0);
}

static long play(struct game *g)
{
	unsigned random = 1;
	long next = 0, popped = 0;

	while (next < g->items) {
		int64_t n;
		void *item;

		random = random * 1664525 + 1013904223;
		n = random >> 28 ? 1 + (random >> 20) % 3 : 1 + (random >> 20) % 64;
		push(g, &next, n < g->items - next ? n : g->items - next);
		for (unsigned pops = (random >> 10) % 4; pops && (item = deque_pop(&g->d)); pops--) {
			take(g, item);
			popped++;
		}
		if (random % 1000 == 0)
			CHECK(!deque_pop_if(&g->d, g));
	}
	for (void *item; (item = deque_pop(&g->d)); popped++)
		take(g, item);
	return popped;
}

/* The owner takes its own as everybody does. */
static long play_queue(struct game *g)
{
	unsigned random = 1;
	long next = 0, taken = 0, some;

	while (next < g->items) {
		int64_t n = 1 + (random >> 20) % 64;

		random = random * 1664525 + 1013904223;
		push(g, &next, n < g->items - next ? n : g->items - next);
		taken += take_some(g, 1 + (random >> 10) % 8);
	}
	while ((some = take_some(g, 8)))
		taken += some;
	return taken;
}

static void one_game(int64_t index, long items, void *(*thieve)(void *), long (*play)(struct game *))
{
	struct game g = { .items = items, .taken = calloc((size_t)items, 1) };
	pthread_t thief[THIEVES];
	long popped;

	CHECK_EQ(deque_init(&g.d, 2, index, retire), 0);
	for (int i = 0; i < THIEVES; i++)
		thief[i] = thread(thieve, &g);
	popped = play(&g);
	set(&g.over, 1);
	for (int i = 0; i < THIEVES; i++)
		join_thread(thief[i]);
	CHECK_EQ(popped + g.stolen, items);
	CHECK_EQ(deque_size(&g.d), 0);
	for (long i = 0; i < items; i++)
		CHECK_EQ(g.taken[i], 1);
	deque_destroy(&g.d);
	while (retirements)
		free(retired[--retirements]);
	free(g.taken);
}

Test(deque_stress, every_item_is_taken_exactly_once_while_the_array_grows)
{
	for (long i = 0; i < rounds(10000); i++)
		one_game(0, 2000, steal_until_over, play);
	one_game(INT32_MAX - 1000, rounds(30000000), steal_until_over, play);
}

Test(deque_stress, every_item_is_taken_exactly_once_by_who_takes_several)
{
	for (long i = 0; i < rounds(10000); i++)
		one_game(0, 2000, take_until_over, play_queue);
	one_game(INT32_MAX - 1000, rounds(30000000), take_until_over, play_queue);
}
