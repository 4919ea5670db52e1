/* SPDX-License-Identifier: MIT */
/* Conditions: who waits is woken once, and holds the mutex again, whatever the wait answered. */
#include "../support.h"

TestSuite(cond, .timeout = WATCHDOG);

struct gate {
	filch_mutex mutex;
	filch_cond cond;
	long open, waiting, passed;
	filch *rt;
};

static void pass(void *gate)
{
	struct gate *g = gate;

	CHECK_EQ(filch_mutex_lock(&g->mutex, FILCH_NEVER), 0);
	g->waiting++;
	while (!g->open)
		CHECK_EQ(filch_cond_wait(&g->cond, &g->mutex, FILCH_NEVER), 0);
	g->open--;
	g->passed++;
	filch_mutex_unlock(&g->mutex);
}

static long read_under(struct gate *g, long *field)
{
	long value;

	CHECK_EQ(filch_mutex_lock(&g->mutex, FILCH_NEVER), 0);
	value = *field;
	filch_mutex_unlock(&g->mutex);
	return value;
}

static void open_gate(struct gate *g, long places)
{
	CHECK_EQ(filch_mutex_lock(&g->mutex, FILCH_NEVER), 0);
	g->open += places;
	if (places == 1)
		filch_cond_signal(&g->cond);
	else
		filch_cond_broadcast(&g->cond);
	filch_mutex_unlock(&g->mutex);
}

static void pass_on(void *gate)
{
	open_gate(gate, 1);
}

static void wait_until(struct gate *g, long *field, long value)
{
	while (read_under(g, field) != value)
		sleep_ms(1);
}

static void signals_and_broadcasts(void *runtime)
{
	struct gate g = { .mutex = FILCH_MUTEX_INIT, .cond = FILCH_COND_INIT };
	struct beside waiters[10];

	(void)runtime;
	for (int i = 0; i < 10; i++)
		beside(&waiters[i], pass, &g);
	wait_until(&g, &g.waiting, 10);
	for (int i = 1; i <= 3; i++) {
		open_gate(&g, 1);
		wait_until(&g, &g.passed, i);
	}
	open_gate(&g, 7);
	for (int i = 0; i < 10; i++)
		finish(&waiters[i]);
	CHECK_EQ(g.passed, 10);
	CHECK_EQ(g.open, 0);
}

Test(cond, a_signal_wakes_one_and_a_broadcast_all)
{
	in_task_and_thread(signals_and_broadcasts, NULL);
}

static void late(void *arg)
{
	filch_mutex mutex = FILCH_MUTEX_INIT;
	filch_cond cond;

	(void)arg;
	filch_cond_init(&cond);
	CHECK_EQ(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
	CHECK_EQ(filch_cond_wait(&cond, &mutex, filch_after(10 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_mutex_trylock(&mutex), -EBUSY);
	CHECK_EQ(filch_cond_wait(&cond, &mutex, 0), -ETIMEDOUT);
	CHECK_EQ(filch_mutex_trylock(&mutex), -EBUSY);
	filch_mutex_unlock(&mutex);
	filch_cond_signal(&cond);
	filch_cond_broadcast(&cond);
}

Test(cond, the_mutex_is_held_again_after_a_deadline)
{
	in_task_and_thread(late, NULL);
}

/* A ring of one place between many producers and consumers. */
struct ring {
	filch_mutex mutex;
	filch_cond full, empty;
	long item, sum, each;
};

static void produce(void *ring)
{
	struct ring *r = ring;

	for (long i = 1; i <= r->each; i++) {
		filch_mutex_lock(&r->mutex, FILCH_NEVER);
		while (r->item)
			CHECK_EQ(filch_cond_wait(&r->empty, &r->mutex, FILCH_NEVER), 0);
		r->item = i;
		filch_cond_signal(&r->full);
		filch_mutex_unlock(&r->mutex);
	}
}

static void consume(void *ring)
{
	struct ring *r = ring;

	for (long i = 1; i <= r->each; i++) {
		filch_mutex_lock(&r->mutex, FILCH_NEVER);
		while (!r->item)
			CHECK_EQ(filch_cond_wait(&r->full, &r->mutex, FILCH_NEVER), 0);
		r->sum += r->item;
		r->item = 0;
		filch_cond_signal(&r->empty);
		filch_mutex_unlock(&r->mutex);
	}
}

static void *thread_produce(void *ring)
{
	produce(ring);
	return NULL;
}

Test(cond, nothing_is_lost_between_tasks_and_threads)
{
	struct ring r = { FILCH_MUTEX_INIT, FILCH_COND_INIT, FILCH_COND_INIT, 0, 0, 2000 };
	filch *rt = start();
	filch_group g;
	pthread_t t;

	filch_group_init(&g, rt);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(filch_group_submit(&g, consume, &r), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_group_submit(&g, produce, &r), 0);
	t = thread(thread_produce, &r);
	CHECK_EQ(filch_group_wait(&g), 0);
	join_thread(t);
	CHECK_EQ(r.sum, 4 * r.each * (r.each + 1) / 2);
	stop(rt);
}

/* ---- a wait that is over before its mutex has been given up ---- */

struct hasty {
	filch_mutex mutex;
	filch_cond cond;
	long inside, ended;
};

static void wait_hastily(void *hasty)
{
	struct hasty *h = hasty;

	for (long i = 0; i < rounds(200000); i++) {
		CHECK_EQ(filch_mutex_lock(&h->mutex, FILCH_NEVER), 0);
		CHECK_EQ(add(&h->inside, 1), 1);
		CHECK_EQ(add(&h->inside, -1), 0);
		CHECK_EQ(filch_cond_wait(&h->cond, &h->mutex, FILCH_NEVER), 0);
		CHECK_EQ(add(&h->inside, 1), 1);
		CHECK_EQ(add(&h->inside, -1), 0);
		filch_mutex_unlock(&h->mutex);
	}
	add(&h->ended, 1);
}

Test(cond, a_signal_without_the_mutex_does_not_let_two_in)
{
	struct hasty h = { .mutex = FILCH_MUTEX_INIT, .cond = FILCH_COND_INIT };
	filch *rt = start();

	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_submit(rt, wait_hastily, &h), 0);
	while (get(&h.ended) < 2)
		filch_cond_broadcast(&h.cond);
	stop(rt);
}

/* ---- who does not wait lets others in as well ---- */

struct deaf {
	struct gate gate;
	filch_group group;
	int64_t deadline;
};

static void look_again(void *deaf)
{
	struct deaf *d = deaf;
	struct gate *g = &d->gate;

	if (d->deadline)
		filch_group_cancel(&d->group, 0); /* its own */
	CHECK_EQ(filch_submit(g->rt, pass_on, g), 0);
	CHECK_EQ(filch_mutex_lock(&g->mutex, FILCH_NEVER), 0);
	while (!g->open)
		CHECK_EQ(filch_cond_wait(&g->cond, &g->mutex, d->deadline), d->deadline ? -ECANCELED : -ETIMEDOUT);
	filch_mutex_unlock(&g->mutex);
}

Test(cond, a_wait_that_is_refused_gives_the_mutex_up_as_well)
{
	filch *rt = start_workers(1);

	for (int64_t deadline = 0;; deadline = FILCH_NEVER) {
		struct deaf d = { .gate = { .mutex = FILCH_MUTEX_INIT, .cond = FILCH_COND_INIT, .rt = rt },
			          .deadline = deadline };

		filch_group_init(&d.group, rt);
		CHECK_EQ(filch_group_submit(&d.group, look_again, &d), 0);
		CHECK_EQ(filch_group_wait(&d.group), deadline ? -ECANCELED : 0);
		if (deadline)
			break;
	}
	stop(rt);
}
