/* SPDX-License-Identifier: MIT */
/* Cancelled groups and runtimes: which waits end, which do not, and that none is missed. */
#include "../support.h"

#include <poll.h>
#include <sys/socket.h>

TestSuite(cancel, .timeout = WATCHDOG);

/* All that can be waited on, with nothing to be had. */
struct things {
	int pair[2], full[2], listener;
	filch_sem sem;
	filch_cond cond;
	filch_mutex mutex;
	filch_chan *empty, *filled;
	filch *rt;
	filch_group *group;
	int64_t deadline;
	long begun, ended;
};

static void fill(int fd)
{
	static const char much[1 << 16];

	while (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
		;
}

static void set_up(struct things *t)
{
	struct sockaddr_in at = loopback();

	*t = (struct things){ .deadline = FILCH_NEVER, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	CHECK_EQ(bind(t->listener, (struct sockaddr *)&at, sizeof(at)) | listen(t->listener, 5), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, t->pair) | socketpair(AF_UNIX, SOCK_STREAM, 0, t->full), 0);
	fill(t->full[0]);
	filch_sem_init(&t->sem, 0);
	filch_cond_init(&t->cond);
	filch_mutex_init(&t->mutex);
	t->empty = filch_chan_new(1, 1);
	t->filled = filch_chan_new(1, 1);
	CHECK_EQ(filch_chan_send(t->filled, "", 0), 0);
}

static void tear_down(struct things *t)
{
	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_close(t->pair[i]) | filch_close(t->full[i]), 0);
	CHECK_EQ(filch_close(t->listener), 0);
	filch_chan_free(t->empty);
	filch_chan_free(t->filled);
}

static int do_sleep(struct things *t)
{
	return filch_sleep_until(t->deadline);
}

static int do_read(struct things *t)
{
	char c;

	return (int)filch_read(t->pair[0], &c, 1, t->deadline);
}

static int do_write(struct things *t)
{
	return (int)filch_write(t->full[0], "x", 1, t->deadline);
}

static int do_poll(struct things *t)
{
	return filch_poll(t->pair[0], POLLIN, t->deadline);
}

static int do_accept(struct things *t)
{
	return filch_accept(t->listener, NULL, NULL, t->deadline);
}

static int do_sem(struct things *t)
{
	return filch_sem_wait(&t->sem, t->deadline);
}

static int do_send(struct things *t)
{
	char c = 0;

	return filch_chan_send(t->filled, &c, t->deadline);
}

static int do_recv(struct things *t)
{
	char c;

	return filch_chan_recv(t->empty, &c, t->deadline);
}

static int do_cond(struct things *t)
{
	int result;

	CHECK_EQ(filch_mutex_lock(&t->mutex, FILCH_NEVER), 0);
	result = filch_cond_wait(&t->cond, &t->mutex, t->deadline);
	CHECK_EQ(filch_mutex_lock(&t->mutex, FILCH_NEVER), -EDEADLK); /* it is held again */
	filch_mutex_unlock(&t->mutex);
	return result;
}

typedef int wait_fn(struct things *t);

static wait_fn *const waits[] = { do_sleep, do_read, do_write, do_poll, do_accept, do_sem, do_send, do_recv, do_cond };

#define WAITS ((long)LENGTH(waits))

static void wait_for_each(void *things)
{
	struct things *t = things;
	long which = add(&t->begun, 1) - 1;

	CHECK_EQ(waits[which % WAITS](t), -ECANCELED);
	add(&t->ended, 1);
}

static void submit_all(struct things *t, filch_group *g)
{
	for (long i = 0; i < WAITS; i++)
		CHECK_EQ(filch_group_submit(g, wait_for_each, t), 0);
}

static void let_them_wait(struct things *t, long n)
{
	until(&t->begun, n);
	sleep_ms(5);
	CHECK_EQ(get(&t->ended), 0);
}

/* ---- what waits is ended ---- */

static void cancel_group(void *runtime)
{
	for (int i = 0; i < 4; i++) {
		struct things t;
		filch_group g;

		set_up(&t);
		t.deadline = i % 2 ? FILCH_NEVER : filch_after(1000000 * MS);
		filch_group_init(&g, runtime);
		submit_all(&t, &g);
		let_them_wait(&t, WAITS);
		filch_group_cancel(&g, i < 2 ? 0 : 77);
		filch_group_cancel(&g, 78);
		CHECK_EQ(filch_group_wait(&g), i < 2 ? -ECANCELED : 77);
		CHECK_EQ(t.ended, WAITS);
		memset(&g, 0x55, sizeof(g));
		tear_down(&t);
	}
}

Test(cancel, a_group_that_is_cancelled_ends_its_waits)
{
	filch *rt = start();

	cancel_group(rt);
	CHECK_EQ(filch_run(rt, cancel_group, rt), 0);
	stop(rt);
}

Test(cancel, a_runtime_that_is_cancelled_ends_all_waits_and_can_be_stopped)
{
	struct things t;
	filch_group g;
	filch *rt = start();

	set_up(&t);
	filch_group_init(&g, rt);
	submit_all(&t, &g);
	for (long i = 0; i < WAITS; i++)
		CHECK_EQ(filch_submit(rt, wait_for_each, &t), 0);
	let_them_wait(&t, 2 * WAITS);
	filch_cancel(rt);
	CHECK_EQ(filch_group_wait(&g), 0); /* it was not the group's doing */
	until(&t.ended, 2 * WAITS);
	for (long i = 0; i < WAITS; i++) /* also those that come later */
		CHECK_EQ(filch_submit(rt, wait_for_each, &t), 0);
	filch_cancel(rt);
	stop(rt);
	CHECK_EQ(t.ended, 3 * WAITS);
	filch_cancel(NULL);
	tear_down(&t);
}

/* ---- the cancel comes first ---- */

static void wait_after_cancel(void *things)
{
	struct things *t = things;
	char c = 0;

	while (!get(&t->begun)) /* until() sleeps, which a cancelled task cannot */
		filch_yield();
	CHECK(filch_cancelled());
	for (int i = 0; i < 2; i++, t->deadline = 0) {
		for (long w = i; w < WAITS; w++)
			CHECK_EQ(waits[w](t), -ECANCELED);
	}
	CHECK_EQ(filch_sleep_until(0), 0); /* what can finish without waiting does */
	CHECK_EQ(write(t->pair[1], &c, 1), 1);
	CHECK_EQ(filch_poll(t->pair[0], POLLIN, FILCH_NEVER), POLLIN);
	CHECK_EQ(filch_read(t->pair[0], &c, 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_write(t->pair[0], &c, 1, FILCH_NEVER), 1);
	filch_sem_post(&t->sem);
	CHECK_EQ(filch_sem_wait(&t->sem, FILCH_NEVER), 0);
	CHECK_EQ(filch_chan_recv(t->filled, &c, FILCH_NEVER), 0);
	CHECK_EQ(filch_chan_send(t->filled, &c, FILCH_NEVER), 0);
	add(&t->ended, 1);
}

Test(cancel, a_cancel_that_comes_first_is_seen_by_what_would_wait)
{
	filch *rt = start();
	struct things t;
	filch_group g;

	set_up(&t);
	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, wait_after_cancel, &t), 0);
	filch_group_cancel(&g, 0);
	CHECK_EQ(filch_group_submit(&g, wait_after_cancel, &t), -ECANCELED);
	set(&t.begun, 1);
	CHECK_EQ(filch_group_wait(&g), -ECANCELED);
	CHECK_EQ(t.ended, 1);
	stop(rt);
	tear_down(&t);
}

/* ---- what cleans up is not cancelled ---- */

static void hold_for_a_while(void *things)
{
	struct things *t = things;

	CHECK_EQ(filch_mutex_lock(&t->mutex, FILCH_NEVER), 0);
	set(&t->begun, 1);
	sleep_ms(20);
	filch_mutex_unlock(&t->mutex);
}

static void nap(void *ended)
{
	sleep_ms(20);
	add(ended, 1);
}

FILCH_VOID_TASK(nap_in_fork, frame, struct things *, t)
{
	for (int64_t end = filch_after(10 * MS); filch_now() < end;)
		filch_yield();
	add(&t->ended, 1);
}

FILCH_VOID_TASK(join_one, frame, struct things *, t)
{
	nap_in_fork_fork(&frame, t);
	filch_yield(); /* makes it available to the other worker */
	nap_in_fork_join(&frame);
}

static void clean_up(void *things)
{
	struct things *t = things;
	filch_group inner;

	while (!filch_cancelled() || !get(&t->begun))
		filch_yield();
	CHECK_EQ(filch_mutex_lock(&t->mutex, FILCH_NEVER), 0);
	filch_mutex_unlock(&t->mutex);
	CHECK_EQ(filch_run(t->rt, nap, &t->ended), 0); /* of a runtime that was not cancelled */
	join_one_run(filch_here(), t);
	CHECK_EQ(t->ended, 2);
	filch_group_init(&inner, t->rt);
	CHECK_EQ(filch_group_submit(&inner, nap, &t->ended), -ECANCELED);
	CHECK_EQ(filch_group_wait(&inner), 0);
	add(&t->ended, 1);
}

Test(cancel, mutexes_joins_runs_and_groups_are_waited_for_all_the_same)
{
	filch *rt = start(), *other = start();
	struct things t;
	filch_group g;

	set_up(&t);
	t.rt = other;
	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, clean_up, &t), 0);
	CHECK_EQ(filch_submit(rt, hold_for_a_while, &t), 0); /* of no group */
	until(&t.begun, 1);
	filch_group_cancel(&g, 0);
	CHECK_EQ(filch_group_wait(&g), -ECANCELED);
	CHECK_EQ(t.ended, 3);
	stop(rt);
	stop(other);
	tear_down(&t);
}

/* ---- who belongs to it ---- */

FILCH_VOID_TASK(sleep_in_fork, frame, struct things *, t)
{
	add(&t->begun, 1);
	CHECK_EQ(filch_sleep_until(FILCH_NEVER), -ECANCELED);
	add(&t->ended, 1);
}

FILCH_VOID_TASK(fork_sleepers, frame, struct things *, t)
{
	for (int i = 0; i < 3; i++)
		sleep_in_fork_fork(&frame, t);
	sleep_in_fork(frame, t);
	for (int i = 0; i < 3; i++)
		sleep_in_fork_join(&frame);
}

static void sleep_here(void *things)
{
	struct things *t = things;

	add(&t->begun, 1);
	CHECK_EQ(filch_sleep_until(FILCH_NEVER), -ECANCELED);
	add(&t->ended, 1);
}

/* A task of the outer group, with forks and a nested group, whose cancel is the outer one's. */
static void nest(void *things)
{
	struct things *t = things;
	filch_group inner;

	filch_group_init(&inner, t->rt);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_group_submit(&inner, sleep_here, t), 0);
	fork_sleepers_run(filch_here(), t);
	CHECK_EQ(filch_group_wait(&inner), 0);
}

static void sleep_beside(void *things)
{
	struct things *t = things;

	add(&t->begun, 1);
	CHECK_EQ(filch_sem_wait(&t->sem, FILCH_NEVER), 0);
}

/* With the nested group in another runtime, or in the same one. */
static void cancel_outer(filch *elsewhere)
{
	filch *rt = start();
	filch_group outer, other;
	struct things t;

	set_up(&t);
	t.rt = elsewhere ? elsewhere : rt;
	filch_group_init(&outer, rt);
	filch_group_init(&other, rt);
	CHECK_EQ(filch_group_submit(&outer, nest, &t), 0);
	CHECK_EQ(filch_group_submit(&other, sleep_beside, &t), 0);
	CHECK_EQ(filch_submit(t.rt, sleep_beside, &t), 0);
	until(&t.begun, 9);
	filch_group_cancel(&outer, 0);
	CHECK_EQ(filch_group_wait(&outer), -ECANCELED);
	CHECK_EQ(t.ended, 7);
	CHECK_EQ(filch_group_wait_until(&other, filch_after(5 * MS)), -ETIMEDOUT);
	filch_sem_post(&t.sem);
	filch_sem_post(&t.sem);
	CHECK_EQ(filch_group_wait(&other), 0);
	stop(rt);
	if (elsewhere)
		stop(elsewhere);
	tear_down(&t);
}

Test(cancel, forks_and_nested_groups_belong_to_it_and_others_do_not)
{
	cancel_outer(NULL);
	cancel_outer(start());
}

/* ---- races ---- */

static void wait_somehow(void *things)
{
	struct things *t = things;
	long i = add(&t->begun, 1);
	int result = waits[i % WAITS](t);

	CHECK(result == -ECANCELED || result == 0);
	if (result == 0)
		add(&t->ended, 1);
}

/* Waits that begin as the cancel comes: one that is missed hangs. Posts and cancels meet, and no post is lost. */
static void race(void *runtime)
{
	for (long i = 0; i < rounds(30000); i++) {
		struct things t;
		filch_group g;

		set_up(&t);
		filch_group_init(&g, runtime);
		for (int j = 0; j < 2 * WAITS; j++)
			CHECK_EQ(filch_group_submit(&g, wait_somehow, &t), 0);
		until(&t.begun, i % 8);
		for (long j = 0; j < i % 4; j++)
			filch_sem_post(&t.sem);
		filch_group_cancel(&g, 0);
		CHECK_EQ(filch_group_wait(&g), -ECANCELED);
		memset(&g, 0x55, sizeof(g));
		tear_down(&t);
	}
}

static long taken;

static void take_one(void *things)
{
	struct things *t = things;
	int result = filch_sem_wait(&t->sem, t->deadline);

	CHECK(result == -ECANCELED || result == -ETIMEDOUT || result == 0);
	add(&taken, !result);
}

static void posts_and_cancels(void *runtime)
{
	for (long i = 0; i < rounds(50000); i++) {
		struct things t = { .deadline = i % 3 ? FILCH_NEVER : filch_after(i % 100 * 1000) };
		filch_group g;

		set(&taken, 0);
		filch_sem_init(&t.sem, 0);
		filch_group_init(&g, runtime);
		for (int j = 0; j < 8; j++)
			CHECK_EQ(filch_group_submit(&g, take_one, &t), 0);
		for (int j = 0; j < 4; j++)
			filch_sem_post(&t.sem);
		filch_group_cancel(&g, 0);
		CHECK_EQ(filch_group_wait(&g), -ECANCELED);
		while (!filch_sem_wait(&t.sem, 0))
			add(&taken, 1);
		CHECK_EQ(taken, 4);
	}
}

Test(cancel, no_wait_that_begins_as_the_cancel_comes_is_missed)
{
	filch *rt = start();
	struct beside outside;

	beside(&outside, race, rt);
	CHECK_EQ(filch_run(rt, race, rt), 0);
	finish(&outside);
	stop(rt);
}

Test(cancel, no_post_is_lost_to_a_wait_that_was_cancelled)
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, posts_and_cancels, rt), 0);
	posts_and_cancels(rt);
	stop(rt);
}

static void stop_it(void *runtime)
{
	stop(runtime);
}

Test(cancel, a_stop_may_be_hurried_from_another_thread)
{
	for (long i = 0; i < rounds(5000); i++) {
		filch *rt = start();
		struct beside stopper;
		struct things t = { .begun = 0 };

		for (int j = 0; j < 3; j++)
			CHECK_EQ(filch_submit(rt, sleep_here, &t), 0);
		if (i % 2)
			until(&t.begun, 3);
		beside(&stopper, stop_it, rt);
		filch_cancel(rt);
		finish(&stopper);
		CHECK_EQ(t.ended, 3);
	}
}
