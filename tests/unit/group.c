/* SPDX-License-Identifier: MIT */
/* Groups: counting, the first error, cancelling, nesting, waiting. */
#include "../support.h"

TestSuite(group, .timeout = WATCHDOG);

struct part {
	filch_group *g;
	long *n;
	int error;
};

static void count(void *n)
{
	add(n, 1);
}

static void count_and_wait(void *n)
{
	filch_yield();
	sleep_ms(1);
	add(n, 1);
}

static void many(void *unused)
{
	filch_fn *fns[] = { count, count_and_wait };
	filch *rt = unused;
	filch_group g;

	for (size_t f = 0; f < LENGTH(fns); f++) {
		for (long tasks = 0; tasks <= 1000; tasks = tasks * 3 + 1) {
			long n = 0;

			filch_group_init(&g, rt);
			for (long i = 0; i < tasks; i++)
				CHECK_EQ(filch_group_submit(&g, fns[f], &n), 0);
			CHECK_EQ(filch_group_wait(&g), 0);
			CHECK_EQ(n, tasks);
			CHECK_EQ(filch_group_wait(&g), 0);
		}
	}
}

Test(group, a_wait_returns_when_every_task_has_finished)
{
	filch *rt = start();

	many(rt);
	CHECK_EQ(filch_run(rt, many, rt), 0);
	stop(rt);
}

static void submit_more(void *part)
{
	struct part *p = part;

	if (add(p->n, 1) < 1000)
		CHECK_EQ(filch_group_submit(p->g, submit_more, p), 0);
}

Test(group, its_tasks_may_submit_to_it)
{
	filch *rt = start();
	filch_group g;
	long n = 0;
	struct part p = { &g, &n, 0 };

	filch_group_init(&g, rt);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(filch_group_submit(&g, submit_more, &p), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	CHECK_EQ(n, 1003);
	stop(rt);
}

Test(group, bad_arguments_are_einval)
{
	filch *rt = start();
	filch_group g, none;

	filch_group_init(&g, rt);
	filch_group_init(&none, NULL);
	CHECK_EQ(filch_group_submit(&g, NULL, NULL), -EINVAL);
	CHECK_EQ(filch_group_submit(NULL, count, NULL), -EINVAL);
	CHECK_EQ(filch_group_submit(&none, count, NULL), -EINVAL);
	CHECK_EQ(filch_group_wait(&none), -EINVAL);
	CHECK_EQ(filch_group_wait(NULL), -EINVAL);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

/* ---- errors and cancelling ---- */

static void fail(void *part)
{
	struct part *p = part;

	filch_group_cancel(p->g, p->error);
	CHECK(filch_cancelled());
	add(p->n, 1);
}

Test(group, the_first_error_wins_and_stays_until_the_next_init)
{
	const int given[][2] = { { -EIO, -EPERM }, { 0, -EIO }, { 77, -EIO } };
	const int expected[] = { -EIO, -ECANCELED, 77 };
	filch *rt = start();
	filch_group g;

	for (size_t i = 0; i < LENGTH(given); i++) {
		long n = 0;

		filch_group_init(&g, rt);
		for (int j = 0; j < 2; j++) {
			filch_group_cancel(&g, given[i][j]);
			CHECK_EQ(filch_group_submit(&g, count, &n), -ECANCELED);
		}
		CHECK_EQ(filch_group_wait(&g), expected[i]);
		CHECK_EQ(filch_group_wait(&g), expected[i]);
		filch_group_init(&g, rt);
		CHECK_EQ(filch_group_submit(&g, count, &n), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
		CHECK_EQ(n, 1);
	}
	stop(rt);
}

Test(group, one_of_many_errors_is_reported_and_every_admitted_task_runs)
{
	filch *rt = start();

	for (int round = 0; round < 200; round++) {
		struct part part[8];
		long n = 0, admitted = 0;
		filch_group g;
		int error;

		filch_group_init(&g, rt);
		for (int i = 0; i < 8; i++) {
			part[i] = (struct part){ &g, &n, -100 - i };
			error = filch_group_submit(&g, fail, &part[i]);
			CHECK(!error || error == -ECANCELED);
			admitted += !error;
		}
		error = filch_group_wait(&g);
		CHECK(error <= -100 && error > -108);
		CHECK_EQ(n, admitted);
	}
	stop(rt);
}

static void until_cancelled(void *n)
{
	while (!filch_cancelled())
		filch_yield();
	add(n, 1);
}

FILCH_TASK(bool, fork_sees, frame, int, depth)
{
	if (depth == 0) {
		CHECK_EQ(filch_sleep_until(filch_after(1000 * MS)), -ECANCELED);
		filch_yield();
		return filch_cancelled();
	}
	fork_sees_fork(&frame, depth - 1);
	bool seen = fork_sees(frame, depth - 1);
	return fork_sees_join(&frame) && seen;
}

FILCH_TASK(bool, fork_sees_not, frame, int, depth)
{
	if (depth == 0) {
		sleep_ms(1);
		return !filch_cancelled();
	}
	fork_sees_not_fork(&frame, depth - 1);
	bool seen = fork_sees_not(frame, depth - 1);
	return fork_sees_not_join(&frame) && seen;
}

static void forks_inherit(void *part)
{
	struct part *p = part;

	CHECK(!filch_cancelled());
	CHECK(fork_sees_not_run(filch_here(), 5));
	filch_group_cancel(p->g, 0);
	CHECK(fork_sees_run(filch_here(), 5));
	CHECK(fork_sees_run(NULL, 2));
}

static void alone(void *unused)
{
	(void)unused;
	CHECK(!filch_cancelled());
	CHECK(fork_sees_not_run(filch_here(), 5));
}

Test(group, forks_belong_to_the_group_of_whoever_made_them)
{
	filch *rt = start();
	filch_group g;
	struct part p = { &g, NULL, 0 };

	CHECK(!filch_cancelled());
	for (int i = 0; i < 10; i++) {
		filch_group_init(&g, rt);
		CHECK_EQ(filch_group_submit(&g, forks_inherit, &p), 0);
		CHECK_EQ(filch_submit(rt, alone, NULL), 0);
		CHECK_EQ(filch_group_wait(&g), -ECANCELED);
		CHECK_EQ(filch_run(rt, alone, NULL), 0); /* nothing sticks to the stacks */
	}
	stop(rt);
}

static void nest(void *part)
{
	struct part *p = part;
	filch_group inner;
	long n = 0;

	filch_group_init(&inner, filch_here());
	CHECK_EQ(filch_group_submit(&inner, until_cancelled, &n), 0);
	CHECK_EQ(filch_group_submit(&inner, until_cancelled, &n), 0);
	add(p->n, 1);
	CHECK_EQ(filch_group_wait(&inner), 0);
	CHECK_EQ(n, 2);
	CHECK_EQ(filch_group_submit(&inner, count, &n), -ECANCELED);
	add(p->n, 1);
}

Test(group, cancelling_a_group_cancels_those_nested_in_it)
{
	filch *rt = start();
	filch_group g;
	long n = 0;
	struct part p = { &g, &n, 0 };

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, nest, &p), 0);
	until(&n, 1);
	filch_group_cancel(&g, -EIO);
	CHECK_EQ(filch_group_wait(&g), -EIO);
	CHECK_EQ(n, 2);
	stop(rt);
}

static void cancel_inner(void *unused)
{
	filch_group inner;
	long n = 0;

	(void)unused;
	filch_group_init(&inner, filch_here());
	CHECK_EQ(filch_group_submit(&inner, until_cancelled, &n), 0);
	filch_group_cancel(&inner, 5);
	CHECK_EQ(filch_group_wait(&inner), 5);
	CHECK(!filch_cancelled());
}

Test(group, cancelling_a_nested_group_leaves_the_outer_one)
{
	filch *rt = start();
	filch_group g;

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, cancel_inner, NULL), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

/* ---- waiting ---- */

FILCH_VOID_TASK(wait_in_fork, frame, filch_group *, g)
{
	CHECK_EQ(filch_group_wait(g), -EDEADLK);
}

FILCH_VOID_TASK(fork_wait, frame, filch_group *, g)
{
	wait_in_fork_fork(&frame, g);
	sleep_ms(1);
	wait_in_fork_join(&frame);
}

static void wait_for_outer(void *g)
{
	CHECK_EQ(filch_group_wait(g), -EDEADLK);
}

static void wait_for_own(void *g)
{
	filch_group inner;

	CHECK_EQ(filch_group_wait(g), -EDEADLK);
	CHECK_EQ(filch_group_wait_until(g, 0), -EDEADLK);
	fork_wait_run(filch_here(), g);
	filch_group_init(&inner, filch_here());
	CHECK_EQ(filch_group_submit(&inner, wait_for_outer, g), 0);
	CHECK_EQ(filch_group_wait(&inner), 0);
}

Test(group, a_wait_for_ones_own_group_is_edeadlk)
{
	filch *rt = start();
	filch_group g;

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, wait_for_own, &g), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

static void until_left(void *leave)
{
	until(leave, 1);
}

static void wait_until(void *unused)
{
	filch *rt = unused;
	int64_t began = filch_now();
	filch_group g;
	long leave = 0;

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, until_left, &leave), 0);
	CHECK_EQ(filch_group_wait_until(&g, 0), -ETIMEDOUT);
	CHECK_EQ(filch_group_wait_until(&g, began + 10 * MS), -ETIMEDOUT);
	CHECK(filch_now() >= began + 10 * MS);
	set(&leave, 1);
	CHECK_EQ(filch_group_wait_until(&g, FILCH_NEVER), 0);
	CHECK_EQ(filch_group_wait_until(&g, 0), 0);
}

Test(group, a_wait_that_timed_out_is_taken_up_again)
{
	filch *rt = start();

	wait_until(rt);
	CHECK_EQ(filch_run(rt, wait_until, rt), 0);
	stop(rt);
}

static void wait_too(void *part)
{
	struct part *p = part;

	CHECK_EQ(filch_group_wait(p->g), 0);
	CHECK_EQ(get(p->n), 100);
}

Test(group, tasks_and_threads_wait_at_once)
{
	filch *rt = start();

	for (int round = 0; round < 20; round++) {
		filch_group g, waiting;
		struct beside outside[3];
		long n = 0;
		struct part p = { &g, &n, 0 };

		filch_group_init(&g, rt);
		filch_group_init(&waiting, rt);
		for (int i = 0; i < 100; i++)
			CHECK_EQ(filch_group_submit(&g, i % 10 ? count : count_and_wait, &n), 0);
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(filch_group_submit(&waiting, wait_too, &p), 0);
			beside(&outside[i], wait_too, &p);
		}
		CHECK_EQ(filch_group_wait(&waiting), 0);
		for (int i = 0; i < 3; i++)
			finish(&outside[i]);
	}
	stop(rt);
}

static void destroy_at_once(void *unused)
{
	filch *rt = unused;

	for (long i = 0; i < rounds(300000); i++) {
		filch_group *g = malloc(sizeof(*g));
		long n = 0;

		filch_group_init(g, rt);
		for (int j = 0; j < 3; j++)
			CHECK_EQ(filch_group_submit(g, count, &n), 0);
		CHECK_EQ(filch_group_wait(g), 0);
		memset(g, 0x55, sizeof(*g));
		free(g);
		CHECK_EQ(n, 3);
	}
}

Test(group, it_may_be_destroyed_as_soon_as_a_wait_returns)
{
	filch *rt = start();
	struct beside outside;

	beside(&outside, destroy_at_once, rt);
	CHECK_EQ(filch_run(rt, destroy_at_once, rt), 0);
	finish(&outside);
	stop(rt);
}
