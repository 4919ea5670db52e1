/* SPDX-License-Identifier: MIT */
/* What a worker holds back: it is queued once, by the worker or by who raids it, and nobody waits for it in vain. */
#include "barrier.h"
#include "hold.h"

#include "../support.h"

TestSuite(hold, .timeout = WATCHDOG);

static void *item(intptr_t n)
{
	return (void *)n;
}

Test(hold, what_was_added_is_closed_or_raided_in_order)
{
	struct hold h = { 0 };
	struct filch_group g, *group = NULL;
	void *items[HOLD];

	barrier_prepare();
	CHECK(barrier_works_);
	for (intptr_t n = 0; n <= HOLD; n++) {
		for (int raids = 0; raids < 2; raids++) {
			hold_open(&h, &g);
			CHECK(hold_is_open(&h) && h.mine);
			for (intptr_t i = 0; i < n; i++)
				CHECK(hold_add(&h, item(i + 1)));
			CHECK_EQ(hold_count(&h), n);
			CHECK_EQ(raids ? hold_raid(&h, items, &group) : hold_close(&h), n);
			CHECK(!raids || group == &g);
			for (intptr_t i = 0; i < n; i++)
				CHECK((raids ? items[i] : h.item[i]) == item(i + 1));
			CHECK_EQ(hold_raid(&h, items, &group), -1);
			CHECK_EQ(hold_close(&h), -1);
			CHECK(!hold_is_open(&h) && !h.mine && !hold_count(&h));
		}
	}
}

Test(hold, an_item_that_comes_after_a_raid_is_its_owners)
{
	struct filch_group *group;
	struct hold h = { 0 };
	void *items[HOLD];

	barrier_prepare();
	CHECK(barrier_works_);
	hold_open(&h, NULL);
	CHECK(hold_add(&h, item(1)));
	CHECK_EQ(hold_raid(&h, items, &group), 1);
	CHECK(h.mine);
	CHECK(!hold_add(&h, item(2)) && !hold_lost(&h));
	CHECK(!h.mine);
}

static void *raid_once(void *hold)
{
	struct filch_group *group;
	void *items[HOLD];

	return (void *)(intptr_t)hold_raid(hold, items, &group);
}

/* As when one that came late for the last opening has the lock, and takes nothing. */
Test(hold, who_finds_the_lock_taken_waits_while_it_is_open)
{
	struct hold h = { 0 };
	uint64_t word;
	pthread_t id;
	void *n;

	barrier_prepare();
	CHECK(barrier_works_);
	hold_open(&h, NULL);
	CHECK(hold_add(&h, item(1)));
	word = lock(&h.word);
	id = thread(raid_once, &h);
	usleep(20000);
	unlock(&h.word, word);
	CHECK_EQ(pthread_join(id, &n), 0);
	CHECK_EQ((intptr_t)n, 1);
}

/* ---- one owner, several raiders ---- */

#define RAIDERS 3

static struct hold shared;
static unsigned char *seen;
static long raided, done;

static void see(void **items, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		__atomic_add_fetch(&seen[(intptr_t)items[i] - 1], 1, __ATOMIC_RELAXED);
}

static void *raid_often(void *every)
{
	struct filch_group *group;
	void *items[HOLD];

	while (!get(&done)) {
		int64_t n = hold_raid(&shared, items, &group);

		see(items, n);
		add(&raided, n > 0);
		if (every)
			usleep(50);
	}
	return NULL;
}

static void own(long count)
{
	for (intptr_t i = 1; i <= count; i++) {
		if (shared.mine && shared.n == HOLD)
			see(shared.item, hold_close(&shared));
		if (!shared.mine)
			hold_open(&shared, NULL);
		if (!hold_add(&shared, item(i)) && !hold_lost(&shared))
			see(&(void *){ item(i) }, 1);
		if (i % 4099 == 0)
			usleep(1); /* with one processor, raiders get to work here */
	}
	see(shared.item, hold_close(&shared));
}

Test(hold, each_item_is_had_once)
{
	long count = rounds(20000000);
	pthread_t id[RAIDERS];

	seen = calloc((size_t)count, 1);
	barrier_prepare();
	CHECK(seen && barrier_works_);
	for (long i = 0; i < RAIDERS; i++)
		id[i] = thread(raid_often, (void *)i);
	own(count);
	set(&done, 1);
	for (int i = 0; i < RAIDERS; i++)
		join_thread(id[i]);
	for (long i = 0; i < count; i++)
		CHECK_EQ(seen[i], 1);
	CHECK(raided > 0);
	free(seen);
}

/* ---- in a runtime ---- */

#define TASKS 50 /* fewer than a hold takes, and enough for one to be opened */

struct burst {
	filch *rt;
	filch_group *group;
	long occupied, release, submitted, ran, leave;
};

static void spin_until(long *n, long value)
{
	while (get(n) < value)
		sched_yield();
}

static void occupy(void *burst)
{
	struct burst *b = burst;

	add(&b->occupied, 1);
	spin_until(&b->release, 1);
}

static void count(void *burst)
{
	add(&((struct burst *)burst)->ran, 1);
}

/* Submits while the other worker is busy, and then computes until others have done what it asks for. */
static void submit_and_compute(void *burst)
{
	struct burst *b = burst;

	spin_until(&b->occupied, 1);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(b->group ? filch_group_submit(b->group, count, b) : filch_submit(b->rt, count, b), 0);
	set(&b->submitted, 1);
	spin_until(&b->leave, 1);
}

static void begin(struct burst *b)
{
	CHECK_EQ(filch_submit(b->rt, occupy, b), 0);
	spin_until(&b->occupied, 1);
	CHECK_EQ(filch_submit(b->rt, submit_and_compute, b), 0);
	spin_until(&b->submitted, 1);
}

static void end(struct burst *b)
{
	set(&b->leave, 1);
	stop(b->rt);
	CHECK_EQ(b->ran, TASKS);
}

Test(hold, a_worker_that_becomes_idle_gets_what_another_holds_while_that_one_computes)
{
	for (long round = 0; round < 20; round++) {
		struct burst b = { .rt = start_workers(2) };

		begin(&b);
		set(&b.release, 1);
		spin_until(&b.ran, TASKS); /* or for ever */
		end(&b);
	}
}

#define MANY 1000

static void submit_many_and_compute(void *burst)
{
	struct burst *b = burst;

	for (int i = 0; i < MANY; i++)
		CHECK_EQ(filch_submit(b->rt, count, b), 0);
	spin_until(&b->ran, MANY); /* or for ever */
}

/* Those that sleep are hungry, but there is enough in the ready queue, and so the rest is held. */
Test(hold, of_many_workers_some_get_what_is_held_behind_a_full_queue)
{
	for (long round = 0; round < 100; round++) {
		struct burst b = { .rt = start_workers(8) };

		CHECK_EQ(filch_submit(b.rt, submit_many_and_compute, &b), 0);
		stop(b.rt);
		CHECK_EQ(b.ran, MANY);
	}
}

static void wait_in_vain_or_not(struct burst *b)
{
	CHECK_EQ(filch_group_wait(b->group), 0);
	CHECK_EQ(get(&b->ran), TASKS);
}

static void *wait_outside(void *burst)
{
	wait_in_vain_or_not(burst);
	return NULL;
}

Test(hold, a_thread_that_waits_for_a_group_gets_what_is_held_of_it)
{
	for (long round = 0; round < 20; round++) {
		struct burst b = { .rt = start_workers(2) };
		filch_group g;
		pthread_t id;

		filch_group_init(&g, b.rt);
		b.group = &g;
		begin(&b);
		id = thread(wait_outside, &b);
		if (round % 2)
			usleep(1000);
		set(&b.release, 1);
		join_thread(id); /* and the submitter still computes */
		end(&b);
	}
}

static void occupy_and_wait(void *burst)
{
	occupy(burst);
	wait_in_vain_or_not(burst);
	set(&((struct burst *)burst)->leave, 1);
}

Test(hold, a_task_that_waits_for_a_group_gets_what_is_held_of_it)
{
	for (long round = 0; round < 20; round++) {
		struct burst b = { .rt = start_workers(2) };
		filch_group g;

		filch_group_init(&g, b.rt);
		b.group = &g;
		CHECK_EQ(filch_submit(b.rt, occupy_and_wait, &b), 0);
		CHECK_EQ(filch_submit(b.rt, submit_and_compute, &b), 0);
		spin_until(&b.submitted, 1);
		set(&b.release, 1);
		spin_until(&b.leave, 1);
		end(&b);
	}
}

/* ---- a group that comes and goes under bursts of any length ---- */

static void burst_and_wait(void *burst)
{
	struct burst *b = burst;

	for (int n = 0; n < 3 * HOLD; n += 7) {
		struct burst inner = { .rt = b->rt };
		filch_group g;

		filch_group_init(&g, b->rt);
		for (int i = 0; i < n; i++)
			CHECK_EQ(filch_group_submit(&g, count, &inner), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
		CHECK_EQ(inner.ran, n);
		memset(&g, 0x55, sizeof(g)); /* nobody may touch it now */
	}
	add(&b->ran, 1);
}

Test(hold, groups_end_exactly_when_their_last_task_does)
{
	struct burst b = { .rt = start() };
	long n = rounds(10000);

	for (long i = 0; i < n; i++)
		CHECK_EQ(filch_submit(b.rt, burst_and_wait, &b), 0);
	stop(b.rt);
	CHECK_EQ(b.ran, n);
}

/* Two groups by turns: each change queues what is held. */
static void alternate(void *burst)
{
	struct burst *b = burst;
	filch_group g[2];

	for (int i = 0; i < 2; i++)
		filch_group_init(&g[i], b->rt);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(i % 5 ? filch_group_submit(&g[i / 17 % 2], count, b) : filch_submit(b->rt, count, b), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_group_wait(&g[i]), 0);
}

Test(hold, groups_and_none_by_turns)
{
	struct burst b = { .rt = start() };

	for (int i = 0; i < 100; i++)
		CHECK_EQ(filch_submit(b.rt, alternate, &b), 0);
	stop(b.rt);
	CHECK_EQ(b.ran, 100 * 200);
}
