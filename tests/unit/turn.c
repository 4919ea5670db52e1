/* SPDX-License-Identifier: MIT */
/* What waits behind something else gets its turn: forks, and what becomes ready. */
#include "../support.h"

TestSuite(turn, .timeout = WATCHDOG);

FILCH_VOID_TASK(spin_until, frame, long *, flag)
{
	while (!get(flag))
		;
}

FILCH_VOID_TASK(set_flag, frame, long *, flag)
{
	set(flag, 1);
}

FILCH_VOID_TASK(spin_for, frame, int64_t, ns)
{
	for (int64_t end = filch_now() + ns; filch_now() < end;)
		;
}

/* ---- forks of a worker that is stuck ---- */

/* The younger fork waits for the older, in the worker that has both. */
FILCH_VOID_TASK(get_stuck, frame, long *, flag)
{
	set_flag_fork(&frame, flag);
	spin_until_fork(&frame, flag);
	filch_yield();
	spin_until_join(&frame);
	set_flag_join(&frame);
}

FILCH_VOID_TASK(fork_and_yield, frame, long *, flag)
{
	while (!get(flag)) {
		spin_for_fork(&frame, 0);
		filch_yield();
		spin_for_join(&frame);
	}
}

static void stuck(void *flag)
{
	get_stuck_run(filch_here(), flag);
}

static void busy(void *flag)
{
	fork_and_yield_run(filch_here(), flag);
}

Test(turn, a_fork_of_a_stuck_worker_is_begun_though_another_has_forks)
{
	for (int i = 0; i < 5; i++) {
		filch *rt = start_workers(2);
		long flag = 0;

		CHECK_EQ(filch_submit(rt, busy, &flag), 0);
		sleep_ms(20);
		CHECK_EQ(filch_submit(rt, stuck, &flag), 0);
		stop(rt);
	}
}

/* ---- what becomes ready behind an item that is long, where all were short ---- */

struct pair {
	int64_t at;
	long held, first, second;
};

/* Has a worker to itself until all the others are in the other one, and that knows that they are short. */
static void hold_one(void *pair)
{
	struct pair *p = pair;

	set(&p->held, 1);
	while (filch_now() < p->at - 10 * MS)
		;
}

/* The first one to come spins until the second has. */
static void come(void *pair)
{
	struct pair *p = pair;

	CHECK_EQ(filch_sleep_until(p->at), 0);
	if (add(&p->first, 1) == 2)
		set(&p->second, 1);
	while (!get(&p->second))
		;
}

/* Many of these are short items. */
static void hurry(void *pair)
{
	while (filch_now() < ((struct pair *)pair)->at - MS)
		CHECK_EQ(filch_sleep_until(filch_now() + 1000), 0);
}

Test(turn, what_became_ready_at_once_does_not_wait_for_a_long_item)
{
	filch *rt = start_workers(2);

	for (int i = 0; i < 20; i++) {
		struct pair p = { .at = filch_now() + 40 * MS };
		filch_group g;

		filch_group_init(&g, rt);
		CHECK_EQ(filch_group_submit(&g, hold_one, &p), 0);
		until(&p.held, 1);
		for (int j = 0; j < 2; j++)
			CHECK_EQ(filch_group_submit(&g, come, &p), 0);
		for (int j = 0; j < 16; j++)
			CHECK_EQ(filch_group_submit(&g, hurry, &p), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
	}
	stop(rt);
}

/* ---- the forks of tasks that always fork again ---- */

struct cycles {
	long begun, done, last, in_a_row, longest;
};

static void note(struct cycles *c, long me)
{
	if (c->begun < 2)
		return; /* not both are there yet */
	c->done++;
	c->in_a_row = c->last == me ? c->in_a_row + 1 : 1;
	c->last = me;
	if (c->in_a_row > c->longest)
		c->longest = c->in_a_row;
}

FILCH_VOID_TASK(cycle, frame, struct cycles *, c)
{
	long me = ++c->begun;

	while (c->done < 150) {
		spin_for_fork(&frame, 8 * MS); /* so long that it is late for the watcher's clock each time */
		filch_yield();
		spin_for_join(&frame);
		note(c, me);
	}
}

static void go_round(void *cycles)
{
	cycle_run(filch_here(), cycles);
}

Test(turn, the_forks_of_two_tasks_run_in_turn)
{
	filch *rt = start_workers(1);
	struct cycles c = { .begun = 0 };

	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_submit(rt, go_round, &c), 0);
	stop(rt);
	CHECK(c.longest <= 20); /* and not all the time */
}
