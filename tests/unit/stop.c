/* SPDX-License-Identifier: MIT */
/* Stopping: from where it is allowed, what still runs, what is refused, and nothing lost. */
#include "../support.h"

TestSuite(stop, .timeout = WATCHDOG);

static long ran, leave, blocked;

static void count(void *unused)
{
	(void)unused;
	add(&ran, 1);
}

static void wait_for_leave(void *unused)
{
	(void)unused;
	add(&blocked, 1);
	until(&leave, 1);
	add(&ran, 1);
}

static void *stop_it(void *rt)
{
	stop(rt);
	return NULL;
}

FILCH_TASK(int, stop_in_fork, frame, filch *, rt)
{
	return filch_stop(rt);
}

static void stop_own(void *unused)
{
	(void)unused;
	CHECK_EQ(filch_stop(filch_here()), -EDEADLK);
	CHECK_EQ(stop_in_fork_run(filch_here(), filch_here()), -EDEADLK);
}

Test(stop, a_task_cannot_stop_its_own_runtime)
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, stop_own, NULL), 0);
	CHECK_EQ(filch_run(rt, count, NULL), 0); /* it did not even begin to */
	stop(rt);
	CHECK_EQ(ran, 1);
}

static void stop_other(void *rt)
{
	CHECK_EQ(filch_submit(rt, count, NULL), 0);
	stop(rt);
	CHECK_EQ(ran, 1);
}

Test(stop, a_task_stops_another_runtime)
{
	filch *rt = start(), *other = start();

	CHECK_EQ(filch_run(rt, stop_other, other), 0);
	stop(rt);
}

/* The runtime that is being stopped waits for a task of the one that stops it. */
struct two {
	filch *rt, *other;
	filch_sem sem;
};

static void take(void *two)
{
	CHECK_EQ(filch_sem_wait(&((struct two *)two)->sem, FILCH_NEVER), 0);
}

static void give(void *two)
{
	filch_sem_post(&((struct two *)two)->sem);
}

static void give_and_stop(void *two)
{
	struct two *t = two;

	CHECK_EQ(filch_submit(t->other, take, t), 0);
	CHECK_EQ(filch_submit(t->rt, give, t), 0);
	stop(t->other);
}

Test(stop, a_task_that_stops_another_runtime_holds_no_worker)
{
	struct two t = { .rt = start_workers(1), .other = start(), .sem = FILCH_SEM_INIT(0) };

	CHECK_EQ(filch_run(t.rt, give_and_stop, &t), 0);
	stop(t.rt);
}

static void stop_twice(size_t max_pending)
{
	filch *rt = start_with((struct filch_options){ .workers = 2, .max_pending = max_pending });
	pthread_t stopper;
	filch_group g;

	blocked = leave = 0;
	filch_group_init(&g, rt);
	CHECK_EQ(filch_submit(rt, wait_for_leave, NULL), 0);
	until(&blocked, 1);
	stopper = thread(stop_it, rt);
	while (filch_submit(rt, count, NULL) != -ESHUTDOWN)
		sleep_ms(1);
	CHECK_EQ(filch_stop(rt), -EALREADY);
	CHECK_EQ(filch_run(rt, count, NULL), -ESHUTDOWN);
	CHECK_EQ(filch_group_submit(&g, count, NULL), -ESHUTDOWN);
	CHECK_EQ(filch_group_wait(&g), 0);
	set(&leave, 1);
	join_thread(stopper);
}

Test(stop, a_second_stop_is_ealready_and_outsiders_are_refused)
{
	stop_twice(0);
	stop_twice(1); /* full or not */
}

/* ---- what was admitted runs, and may submit, fork, run and wait ---- */

FILCH_TASK(long, fib, frame, long, n)
{
	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);
	long right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

static void chain(void *left)
{
	filch_group g;

	sleep_ms(1);
	CHECK_EQ(fib_run(filch_here(), 10), 55);
	CHECK_EQ(filch_run(filch_here(), count, NULL), 0);
	filch_group_init(&g, filch_here());
	CHECK_EQ(filch_group_submit(&g, count, NULL), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	if (left)
		CHECK_EQ(filch_submit(filch_here(), chain, (void *)((intptr_t)left - 1)), 0);
}

Test(stop, tasks_go_on_and_submit_others_until_none_is_left)
{
	filch *rt = start();

	for (int i = 0; i < 10; i++)
		CHECK_EQ(filch_submit(rt, chain, (void *)(intptr_t)20), 0);
	stop(rt);
	CHECK_EQ(ran, 10 * 21 * 2);
}

/* ---- submits that meet the stop ---- */

struct racer {
	filch *rt;
	long *go;
	long admitted, refused;
};

/* A task that waits keeps the runtime alive meanwhile: no call may be in progress when the stop returns. */
static void *submit_until_refused(void *racer)
{
	struct racer *r = racer;

	while (!get(r->go))
		;
	for (int i = 0; i < 200; i++) {
		int error = filch_submit(r->rt, count, NULL);

		CHECK(!error || error == -ESHUTDOWN);
		CHECK(!(r->refused && !error));
		*(error ? &r->refused : &r->admitted) += 1;
	}
	return NULL;
}


static void *stop_on_go(void *racer)
{
	struct racer *r = racer;

	while (!get(r->go))
		;
	stop(r->rt);
	return NULL;
}

static void race_with_stop(void)
{
	struct racer r[3];
	pthread_t id[3], stopper;
	long go = 0, admitted = 1;
	filch *rt = start();

	set(&ran, 0);
	set(&leave, 0);
	CHECK_EQ(filch_submit(rt, wait_for_leave, NULL), 0);
	for (int i = 0; i < 3; i++) {
		r[i] = (struct racer){ rt, &go, 0, 0 };
		id[i] = thread(submit_until_refused, &r[i]);
	}
	stopper = thread(stop_on_go, &r[0]);
	set(&go, 1);
	for (int i = 0; i < 3; i++) {
		join_thread(id[i]);
		admitted += r[i].admitted;
		CHECK_EQ(r[i].admitted + r[i].refused, 200);
	}
	set(&leave, 1);
	join_thread(stopper);
	CHECK_EQ(ran, admitted);
}

Test(stop, a_submit_that_meets_the_stop_runs_or_is_refused_and_not_both)
{
	for (long i = 0; i < rounds(20000); i++)
		race_with_stop();
}

/* ---- under load, at random points ---- */

static void spread(void *depth)
{
	add(&ran, 1);
	if ((intptr_t)depth % 3 == 1)
		filch_yield();
	if ((intptr_t)depth % 5 == 1)
		CHECK_EQ(filch_sleep_until(filch_after(10000)), 0);
	for (int i = 0; depth && i < 2; i++)
		CHECK_EQ(filch_submit(filch_here(), spread, (void *)((intptr_t)depth - 1)), 0);
}

Test(stop, under_load_it_ends_at_any_point_and_loses_nothing)
{
	for (long i = 0; i < rounds(20000); i++) {
		filch *rt = start();

		set(&ran, 0);
		CHECK_EQ(filch_submit(rt, spread, (void *)6), 0);
		if (i % 4)
			usleep((useconds_t)(i * 37 % 500));
		stop(rt);
		CHECK_EQ(ran, 127);
	}
}

Test(stop, an_unused_runtime_and_a_used_one_stop_again_and_again)
{
	for (long i = 0; i < rounds(100000); i++) {
		filch *rt = start();
		long n = i % 4 * (i % 4);

		set(&ran, 0);
		for (long j = 0; j < n; j++)
			CHECK_EQ(filch_submit(rt, count, NULL), 0);
		stop(rt);
		CHECK_EQ(ran, n);
	}
}
