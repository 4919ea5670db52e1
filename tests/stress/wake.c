/* SPDX-License-Identifier: MIT */
/*
 * No wake-up is lost, wherever in its search, on its way to sleep or asleep a worker is when work
 * comes. Whoever is not woken is waited for: a test hangs then, and its watchdog ends it.
 */
#include "../support.h"

#include <sched.h>

TestSuite(wake_stress, .timeout = 20 * WATCHDOG);

static const unsigned counts[] = { 1, 2, 8 };

static void for_every_count(void (*test)(filch *rt, long n), long n)
{
	for (size_t i = 0; i < LENGTH(counts); i++) {
		filch *rt = start_workers(counts[i]);

		test(rt, n / (long)LENGTH(counts) + 1);
		stop(rt);
	}
}

/* Nothing for a while, at most as long as a search and the way to sleep take. */
static void pause_somewhat(void)
{
	static unsigned random = 1; /* only one thread or task at a time comes here */
	int64_t end;

	random = random * 1664525 + 1013904223;
	end = filch_after(random >> 17);
	while (filch_now() < end)
		;
}

/* ---- one at a time: each meets the last worker somewhere on its way to sleep ---- */

static void post(void *sem)
{
	filch_sem_post(sem);
}

static void one_at_a_time(filch *rt, long n)
{
	filch_sem done = FILCH_SEM_INIT(0);

	for (long i = 0; i < n; i++) {
		CHECK_EQ(filch_submit(rt, post, &done), 0);
		CHECK_EQ(filch_sem_wait(&done, FILCH_NEVER), 0);
		pause_somewhat();
	}
}

Test(wake_stress, each_single_task_is_run)
{
	for_every_count(one_at_a_time, rounds(1000000));
}

/* ---- bursts from a task, that end as a worker gives up its search ---- */

struct bursts {
	filch *rt;
	long n;
};

static void send_bursts(void *arg)
{
	struct bursts *b = arg;

	for (long i = 0; i < b->n; i++) {
		filch_sem done = FILCH_SEM_INIT(0);

		for (long j = 0; j <= i % 3; j++)
			CHECK_EQ(filch_submit(b->rt, post, &done), 0);
		for (long j = 0; j <= i % 3; j++)
			CHECK_EQ(filch_sem_wait(&done, FILCH_NEVER), 0);
		pause_somewhat();
	}
}

static void bursts(filch *rt, long n)
{
	struct bursts b = { rt, n };

	CHECK_EQ(filch_run(rt, send_bursts, &b), 0);
}

Test(wake_stress, a_burst_is_run_to_its_end)
{
	for_every_count(bursts, rounds(300000));
}

/* ---- N tasks that compute until all N do, on N workers ---- */

static void meet(void *here)
{
	long *n = here;

	add(n, -1);
	while (get(n) > 0)
		sched_yield(); /* there may be fewer CPUs; the worker is busy all the same */
}

static void meet_from_outside(filch *rt, long n)
{
	long all = filch_workers(rt);

	for (long i = 0; i < n; i++) {
		long here = all;
		filch_group g;

		filch_group_init(&g, rt);
		for (long j = 0; j < all; j++)
			CHECK_EQ(filch_group_submit(&g, meet, &here), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
		pause_somewhat();
	}
}

Test(wake_stress, as_many_tasks_as_workers_run_at_once)
{
	for_every_count(meet_from_outside, rounds(10000));
}

/* The submitter is one of them, and gives nothing up while it waits for the others. */
static void meet_others(void *arg)
{
	struct bursts *b = arg;
	long all = filch_workers(b->rt);

	for (long i = 0; i < b->n; i++) {
		long here = all;
		filch_group g;

		filch_group_init(&g, b->rt);
		for (long j = 1; j < all; j++)
			CHECK_EQ(filch_group_submit(&g, meet, &here), 0);
		meet(&here);
		CHECK_EQ(filch_group_wait(&g), 0);
		pause_somewhat();
	}
}

static void meet_from_inside(filch *rt, long n)
{
	struct bursts b = { rt, n };

	CHECK_EQ(filch_run(rt, meet_others, &b), 0);
}

Test(wake_stress, what_a_task_submits_runs_beside_it)
{
	for_every_count(meet_from_inside, rounds(10000));
}
