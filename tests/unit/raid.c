/* SPDX-License-Identifier: MIT */
/* Forks that a task keeps private while it computes are taken from it; each runs once. */
#include "../raids.h"

TestSuite(raid, .timeout = WATCHDOG);

FILCH_VOID_TASK(count_up_one, frame, long *, n)
{
	add(n, 1);
}

/* ---- behind a leaf ---- */

struct leaf {
	long forks, busy, forked, done;
};

static void be_busy(void *leaf)
{
	struct leaf *l = leaf;

	set(&l->busy, 1);
	while (!get(&l->forked))
		; /* so that nobody is hungry as the others are forked */
}

FILCH_VOID_TASK(fork_and_compute, frame, struct leaf *, l)
{
	for (long i = 0; i < l->forks; i++)
		count_up_one_fork(&frame, &l->done);
	set(&l->forked, 1);
	while (get(&l->done) < l->forks)
		; /* without a fork or join: so somebody else has run them */
	for (long i = 0; i < l->forks; i++)
		count_up_one_join(&frame);
}

static void run_leaf(void *leaf)
{
	fork_and_compute_run(filch_here(), leaf);
}

static void behind_a_leaf(filch *rt, long forks)
{
	struct leaf l = { .forks = forks };
	filch_group g;

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, be_busy, &l), 0);
	until(&l.busy, 1);
	CHECK_EQ(filch_group_submit(&g, run_leaf, &l), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
}

Test(raid, private_forks_behind_a_leaf_run_meanwhile)
{
	filch *rt = there_are_raids() ? start_workers(2) : NULL;
	static const long forks[] = { 1, 2, 3, 15, 100, 1000 };

	for (size_t i = 0; rt && i < LENGTH(forks); i++)
		behind_a_leaf(rt, forks[i]);
	if (rt)
		stop(rt);
}

/* ---- at any moment ---- */

FILCH_TASK(long, tree, frame, int, depth, long *, leaves)
{
	long left;

	if (!depth) {
		if (add(leaves, 1) % 100 == 0)
			for (int64_t end = filch_now() + 30000; filch_now() < end;)
				; /* for longer than a raid takes */
		return 1;
	}
	tree_fork(&frame, depth - 1, leaves);
	left = tree(frame, depth - 1, leaves);
	return tree_join(&frame) + left;
}

FILCH_VOID_TASK(flat, frame, long, n, long *, leaves)
{
	for (long i = 0; i < n; i++)
		count_up_one_fork(&frame, leaves);
	for (int64_t end = filch_now() + 30000; filch_now() < end;)
		;
	for (long i = 0; i < n; i++)
		count_up_one_join(&frame);
}

static long grown, raids;

static void grow(void *unused)
{
	(void)unused;
	for (long i = 0; i < rounds(20000); i++) {
		long leaves = 0;

		CHECK_EQ(tree_run(filch_here(), 8, &leaves), 256);
		CHECK_EQ(leaves, 256);
		flat_run(filch_here(), 200, &leaves);
		CHECK_EQ(leaves, 456);
	}
	add(&grown, 1);
}

/* A fork is run by the loop, which would come to it. */
static void give_next(struct worker *w)
{
	struct filch_slot_ *next = w->next;

	w->next = NULL;
	if (next)
		ready_here(w, next);
}

/* Whoever it is that computes there, still or not. */
static void raid_all(void *unused)
{
	(void)unused;
	while (!get(&grown)) {
		struct worker *w = worker_here();

		for (unsigned i = 0; i < load_seq(&w->rt->known); i++) {
			struct stack *s = load_seq(&w->rt->worker[i]->current);
			struct filch_slot_ *slot = i == w->index ? NULL : raid_forks(w, s);

			if (!slot)
				continue;
			add(&raids, 1);
			slot->run(slot);
			give_next(worker_here());
			break;
		}
		filch_yield(); /* to what else it has brought */
	}
}

Test(raid, at_any_moment_every_fork_runs_once)
{
	filch *rt = there_are_raids() ? start_workers(3) : NULL;

	if (!rt)
		return;
	grown = raids = 0;
	CHECK_EQ(filch_submit(rt, grow, NULL), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_submit(rt, raid_all, NULL), 0);
	stop(rt);
	CHECK(raids);
}
