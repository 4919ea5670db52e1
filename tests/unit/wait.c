/* SPDX-License-Identifier: MIT */
/* Sleep, yield, mutex and semaphore, among tasks and threads. Channels are in chan.c. */
#include "../support.h"

TestSuite(wait, .timeout = WATCHDOG);

#define EACH 8

/* So many of each in tasks of rt and in threads, all at once. */
static void tasks_and_threads(filch *rt, filch_fn *fn, void *arg)
{
	struct beside outside[EACH];
	filch_group g;

	filch_group_init(&g, rt);
	for (int i = 0; i < EACH; i++) {
		CHECK_EQ(filch_group_submit(&g, fn, arg), 0);
		beside(&outside[i], fn, arg);
	}
	for (int i = 0; i < EACH; i++)
		finish(&outside[i]);
	CHECK_EQ(filch_group_wait(&g), 0);
}

/* ---- sleep and yield ---- */

static void sleeps(void *unused)
{
	int64_t began = filch_now();

	(void)unused;
	CHECK_EQ(filch_sleep_until(began + 20 * MS), 0);
	CHECK(filch_now() >= began + 20 * MS);
	CHECK(filch_now() < began + 20 * MS + slack(1000 * MS));
	CHECK_EQ(filch_sleep_until(0), 0);
	CHECK_EQ(filch_sleep_until(INT64_MIN), 0);
	CHECK_EQ(filch_sleep_until(filch_now()), 0);
}

Test(wait, a_sleep_ends_at_its_time_and_at_once_for_a_time_that_has_passed)
{
	in_task_and_thread(sleeps, NULL);
}

Test(wait, a_deadline_does_not_overflow)
{
	CHECK_EQ(filch_after(INT64_MAX), FILCH_NEVER);
	CHECK(filch_after(0) <= filch_now());
	CHECK(filch_after(MS) > filch_now());
}

static void sleep_long(void *n)
{
	CHECK_EQ(filch_sleep_until(filch_after(50 * MS)), 0);
	add(n, 1);
}

Test(wait, sleepers_hold_no_worker)
{
	filch *rt = start();
	int64_t began = filch_now();
	filch_group g;
	long n = 0;

	filch_group_init(&g, rt);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(filch_group_submit(&g, sleep_long, &n), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	CHECK_EQ(n, 1000);
	CHECK(filch_now() - began < slack(5000 * MS)); /* one after another would take 50 s */
	stop(rt);
}

struct poll {
	filch_group group;
	long flag;
};

static void set_flag(void *flag)
{
	set(flag, 1);
}

static void poll_by_sleeping(void *poll)
{
	struct poll *p = poll;

	filch_group_cancel(&p->group, 0); /* its own */
	CHECK_EQ(filch_submit(filch_here(), set_flag, &p->flag), 0);
	while (!get(&p->flag))
		filch_sleep_until(filch_after(MS));
	CHECK_EQ(filch_sleep_until(filch_after(3600 * 1000 * MS)), -ECANCELED);
	CHECK_EQ(filch_sleep_until(filch_now()), 0);
	CHECK_EQ(filch_sleep_until(filch_after(-1)), 0);
}

Test(wait, who_sleeps_though_cancelled_lets_others_run)
{
	filch *rt = start_workers(1);
	struct poll p = { .flag = 0 };

	filch_group_init(&p.group, rt);
	CHECK_EQ(filch_group_submit(&p.group, poll_by_sleeping, &p), 0);
	CHECK_EQ(filch_group_wait(&p.group), -ECANCELED);
	stop(rt);
}

struct turns {
	long turn, count;
};

static void alternate(void *turns)
{
	struct turns *t = turns;
	long me = add(&t->count, 1) - 1;

	for (long i = 0; i < 1000; i++) {
		while (get(&t->turn) % 2 != me)
			filch_yield();
		add(&t->turn, 1);
	}
}

Test(wait, two_tasks_that_yield_take_turns)
{
	filch *rt = start();
	struct turns t = { 0, 0 };
	filch_group g;

	filch_group_init(&g, rt);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_group_submit(&g, alternate, &t), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	CHECK_EQ(t.turn, 2000);
	filch_yield(); /* in a thread it is only polite */
	stop(rt);
}

FILCH_VOID_TASK(raise_flag, frame, long *, flag)
{
	set(flag, 1);
}

FILCH_VOID_TASK(spin_for_fork, frame, long *, flag)
{
	raise_flag_fork(&frame, flag);
	while (!get(flag))
		filch_yield();
	raise_flag_join(&frame);
}

Test(wait, a_yield_makes_ones_own_forks_available)
{
	filch *rt = start();

	for (int i = 0; i < 100; i++) {
		long flag = 0;

		spin_for_fork_run(rt, &flag);
	}
	stop(rt);
}

static long feeding = 1;

static void feed(void *unused)
{
	filch_yield();
	if (get(&feeding))
		CHECK_EQ(filch_submit(filch_here(), feed, unused), 0);
}

static void note(void *flag)
{
	set(flag, 1);
}

Test(wait, tasks_that_feed_each_other_do_not_starve_one_from_outside)
{
	filch *rt = start();
	long flag;

	for (unsigned i = 0; i < 2 * workers(); i++)
		CHECK_EQ(filch_submit(rt, feed, NULL), 0);
	for (int i = 0; i < 50; i++) {
		int64_t began = filch_now();

		set(&flag, 0);
		CHECK_EQ(filch_submit(rt, note, &flag), 0);
		while (!get(&flag))
			CHECK(filch_now() - began < slack(2000 * MS));
	}
	set(&feeding, 0);
	stop(rt);
}

/* ---- mutex ---- */

static filch_mutex mutex = FILCH_MUTEX_INIT;
static long inside, total;

static void lock_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 300; i++) {
		CHECK_EQ(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
		CHECK_EQ(add(&inside, 1), 1);
		if (i % 16 == 0)
			filch_yield();
		total++;
		CHECK_EQ(add(&inside, -1), 0);
		filch_mutex_unlock(&mutex);
	}
}

Test(wait, a_mutex_has_one_holder_among_tasks_and_threads)
{
	filch *rt = start();

	tasks_and_threads(rt, lock_often, NULL);
	CHECK_EQ(total, 2 * EACH * 300);
	CHECK_EQ(filch_mutex_trylock(&mutex), 0);
	filch_mutex_unlock(&mutex);
	stop(rt);
}

static void try_held(void *unused)
{
	int64_t began = filch_now();

	(void)unused;
	CHECK_EQ(filch_mutex_trylock(&mutex), -EBUSY);
	CHECK_EQ(filch_mutex_lock(&mutex, 0), -ETIMEDOUT);
	CHECK_EQ(filch_mutex_lock(&mutex, began + 10 * MS), -ETIMEDOUT);
	CHECK(filch_now() >= began + 10 * MS);
}

static void mutex_answers(void *unused)
{
	struct beside other;

	(void)unused;
	filch_mutex_init(&mutex);
	CHECK_EQ(filch_mutex_lock(&mutex, 0), 0); /* it is free: the deadline does not matter */
	CHECK_EQ(filch_mutex_lock(&mutex, FILCH_NEVER), -EDEADLK);
	CHECK_EQ(filch_mutex_trylock(&mutex), -EBUSY);
	beside(&other, try_held, NULL);
	finish(&other);
	CHECK_EQ(filch_mutex_lock(&mutex, 0), -EDEADLK); /* also after others have waited */
	filch_mutex_unlock(&mutex);
	CHECK_EQ(filch_mutex_trylock(&mutex), 0);
	CHECK_EQ(filch_mutex_lock(&mutex, 0), -EDEADLK);
	filch_mutex_unlock(&mutex);
}

Test(wait, a_mutex_answers_busy_late_and_deadlock)
{
	in_task_and_thread(mutex_answers, NULL);
}

static void lock_by_deadline(void *got)
{
	for (int i = 0; i < 200; i++) {
		int result = filch_mutex_lock(&mutex, filch_after(i % 7 * 20000));

		CHECK(!result || result == -ETIMEDOUT);
		if (result)
			continue;
		CHECK_EQ(add(&inside, 1), 1);
		if (i % 3 == 0)
			CHECK_EQ(filch_sleep_until(filch_after(30000)), 0);
		CHECK_EQ(add(&inside, -1), 0);
		add(got, 1);
		filch_mutex_unlock(&mutex);
	}
}

Test(wait, deadlines_and_hand_overs_of_a_mutex_do_not_lose_it)
{
	filch *rt = start();
	long got = 0;

	tasks_and_threads(rt, lock_by_deadline, &got);
	CHECK(got > 0);
	CHECK_EQ(filch_mutex_lock(&mutex, 0), 0);
	filch_mutex_unlock(&mutex);
	stop(rt);
}

/* ---- semaphore ---- */

static filch_sem sem;

static void use_place(void *most)
{
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(filch_sem_wait(&sem, FILCH_NEVER), 0);
		CHECK(add(&inside, 1) <= 3);
		if (i % 8 == 0)
			filch_yield();
		if (get(&inside) > get(most))
			set(most, get(&inside));
		add(&inside, -1);
		filch_sem_post(&sem);
	}
}

Test(wait, a_semaphore_lets_in_as_many_as_it_has_places)
{
	filch *rt = start();
	long most = 0;

	filch_sem_init(&sem, 3);
	tasks_and_threads(rt, use_place, &most);
	CHECK(most >= 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_sem_wait(&sem, 0), 0);
	CHECK_EQ(filch_sem_wait(&sem, 0), -ETIMEDOUT);
	stop(rt);
}

/* Every post is counted or wakes one: what was posted is what was taken and what is left. */
static void take_by_deadline(void *taken)
{
	for (int i = 0; i < 300; i++) {
		int result = filch_sem_wait(&sem, filch_after(i % 5 * 20000));

		CHECK(!result || result == -ETIMEDOUT);
		add(taken, !result);
	}
}

static void post_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++) {
		filch_sem_post(&sem);
		if (i % 4 == 0)
			CHECK_EQ(filch_sleep_until(filch_after(20000)), 0);
	}
}

Test(wait, no_post_is_lost_between_two_posters_and_deadlines)
{
	filch *rt = start();
	struct beside poster[2];
	long taken = 0;

	filch_sem_init(&sem, 0);
	CHECK_EQ(filch_submit(rt, post_often, NULL), 0);
	for (int i = 0; i < 2; i++)
		beside(&poster[i], post_often, NULL);
	tasks_and_threads(rt, take_by_deadline, &taken);
	for (int i = 0; i < 2; i++)
		finish(&poster[i]);
	stop(rt);
	while (!filch_sem_wait(&sem, 0))
		taken++;
	CHECK_EQ(taken, 600);
}

/* ---- the last wait may be followed by the end of what was waited on ---- */

struct heap {
	filch_mutex mutex;
	filch_sem sem;
	filch_cond cond;
	filch_chan *chan;
	filch_mutex *beside; /* of cond; not destroyed with it */
};

static void post_and_unlock(void *heap)
{
	struct heap *h = heap;

	CHECK_EQ(filch_mutex_lock(&h->mutex, FILCH_NEVER), 0);
	filch_sem_post(&h->sem);
	filch_mutex_unlock(&h->mutex);
}

static void lock_after(struct heap *h)
{
	CHECK_EQ(filch_sem_wait(&h->sem, FILCH_NEVER), 0);
	CHECK_EQ(filch_mutex_lock(&h->mutex, FILCH_NEVER), 0);
	filch_mutex_unlock(&h->mutex);
}

static void post(void *heap)
{
	filch_sem_post(&((struct heap *)heap)->sem);
}

static void wait_for_post(struct heap *h)
{
	CHECK_EQ(filch_sem_wait(&h->sem, FILCH_NEVER), 0);
}

static void send_one(void *heap)
{
	CHECK_EQ(filch_chan_send(((struct heap *)heap)->chan, "x", FILCH_NEVER), 0);
}

static void receive_one(struct heap *h)
{
	char item;

	CHECK_EQ(filch_chan_recv(h->chan, &item, FILCH_NEVER), 0);
}

/* Once it has had the mutex the other one is in the list of the condition. */
static void signal_once(void *heap)
{
	struct heap *h = heap;

	CHECK_EQ(filch_mutex_lock(h->beside, FILCH_NEVER), 0);
	filch_mutex_unlock(h->beside);
	filch_cond_signal(&h->cond);
}

static void wait_for_signal(struct heap *h)
{
	CHECK_EQ(filch_cond_wait(&h->cond, h->beside, FILCH_NEVER), 0);
}

/* The last access of each kind to what the other one destroys as soon as it has returned. */
static const struct {
	filch_fn *other;
	void (*mine)(struct heap *h);
} kinds[] = {
	{ post_and_unlock, lock_after },
	{ post, wait_for_post },
	{ send_one, receive_one },
	{ signal_once, wait_for_signal },
};

static void destroy_at_once(void *unused)
{
	filch *rt = unused;
	filch_mutex beside = FILCH_MUTEX_INIT;

	for (long i = 0; i < rounds(400000); i++) {
		struct heap *h = malloc(sizeof(*h));

		filch_mutex_init(&h->mutex);
		filch_sem_init(&h->sem, 0);
		filch_cond_init(&h->cond);
		h->chan = filch_chan_new(1, (size_t)i / 4 % 2);
		h->beside = &beside;
		CHECK_EQ(filch_mutex_lock(&beside, FILCH_NEVER), 0);
		CHECK_EQ(filch_submit(rt, kinds[i % 4].other, h), 0);
		kinds[i % 4].mine(h);
		filch_mutex_unlock(&beside);
		filch_chan_free(h->chan);
		memset(h, 0x55, sizeof(*h));
		free(h);
	}
}

Test(wait, what_was_waited_on_may_be_destroyed_at_once)
{
	filch *rt = start();
	struct beside outside;

	beside(&outside, destroy_at_once, rt);
	CHECK_EQ(filch_run(rt, destroy_at_once, rt), 0);
	finish(&outside);
	stop(rt);
}

/* A thread's post wakes the last task; the runtime may then be gone before the post returns. */
static void take_one(void *s)
{
	CHECK_EQ(filch_sem_wait(s, FILCH_NEVER), 0);
}

static void post_one(void *s)
{
	filch_sem_post(s);
}

Test(wait, a_post_from_outside_may_be_what_ends_the_runtime)
{
	for (long i = 0; i < rounds(50000); i++) {
		filch *rt = start();
		filch_sem s[4];
		struct beside poster[4];

		for (int j = 0; j < 4; j++) {
			filch_sem_init(&s[j], 0);
			CHECK_EQ(filch_submit(rt, take_one, &s[j]), 0);
		}
		for (int j = 0; j < 4; j++)
			beside(&poster[j], post_one, &s[j]);
		stop(rt);
		for (int j = 0; j < 4; j++)
			finish(&poster[j]);
	}
}
