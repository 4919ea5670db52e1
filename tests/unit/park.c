/* SPDX-License-Identifier: MIT */
/* The protocol of sleeping and waking alone. */
#include "park.h"

#include "../support.h"

TestSuite(park, .timeout = WATCHDOG);

Test(park, the_counts_follow_each_step_and_return_to_zero)
{
	struct parking p = { 0 };
	struct park me = { AWAKE };

	for (uint32_t how = PARKED; how <= POLLING; how++) {
		CHECK(!parking_hungry(&p) && !parking_wants_wake(&p));
		parking_search(&p);
		CHECK(parking_hungry(&p) && !parking_wants_wake(&p));
		park_announce(&p, &me, how);
		CHECK(parking_hungry(&p) && parking_wants_wake(&p));
		CHECK_EQ(park_claim(&p, &me), how);
		CHECK(parking_hungry(&p) && !parking_wants_wake(&p)); /* it searches, from now on */
		CHECK_EQ(park_claim(&p, &me), AWAKE);
		park_leave(&p, &me);
		CHECK_EQ(p.hunger, SEARCHING_ONE);
		CHECK(parking_found(&p));
		CHECK_EQ(p.hunger, 0);
	}
}

Test(park, who_leaves_unclaimed_counts_itself)
{
	struct parking p = { 0 };
	struct park me = { AWAKE };

	parking_search(&p);
	park_announce(&p, &me, PARKED);
	park_leave(&p, &me);
	CHECK_EQ(p.hunger, SEARCHING_ONE);
	CHECK_EQ(me.state, AWAKE);
	CHECK_EQ(park_claim(&p, &me), AWAKE);
	CHECK(parking_found(&p));
}

Test(park, only_the_last_searcher_looks_for_more)
{
	struct parking p = { 0 };

	for (int i = 0; i < 3; i++)
		parking_search(&p);
	CHECK(!parking_found(&p));
	CHECK(!parking_found(&p));
	CHECK(parking_found(&p));
}

Test(park, a_thousand_sleepers_and_searchers_fit_into_the_counts)
{
	static struct park worker[1024];
	struct parking p = { 0 };

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1024; i++)
			parking_search(&p);
		for (int i = 0; i < 1024; i++)
			park_announce(&p, &worker[i], i % 2 ? PARKED : POLLING);
		CHECK_EQ(p.hunger, 1024 * PARKED_ONE);
		for (int i = 0; i < 1024; i++)
			CHECK(park_claim(&p, &worker[i]) != AWAKE);
		CHECK_EQ(p.hunger, 1024 * SEARCHING_ONE);
		for (int i = 0; i < 1024; i++)
			park_leave(&p, &worker[i]);
		for (int i = 0; i < 1024; i++)
			CHECK_EQ(parking_found(&p), i == 1023);
	}
}

Test(park, a_sleeper_sleeps_to_its_deadline_and_not_at_all_once_claimed)
{
	struct parking p = { 0 };
	struct park me = { AWAKE };
	int64_t began = filch_now();

	parking_search(&p);
	park_announce(&p, &me, PARKED);
	park_sleep(&me, began + 20 * MS);
	CHECK(filch_now() >= began + 20 * MS);
	park_sleep(&me, INT64_MIN);
	CHECK_EQ(park_claim(&p, &me), PARKED);
	park_sleep(&me, FILCH_NEVER);
}

/* ---- a worker that sleeps and threads that wake it ---- */

static struct parking parking;
static struct park sleeper;
static long items, over;

static void *work_and_sleep(void *taken)
{
	while (!get(&over)) {
		parking_search(&parking);
		park_announce(&parking, &sleeper, PARKED);
		if (!get(&items) && !get(&over))
			park_sleep(&sleeper, FILCH_NEVER);
		park_leave(&parking, &sleeper);
		CHECK_EQ(load_seq(&sleeper.state), AWAKE);
		parking_found(&parking);
		while (get(&items) > 0) {
			add(&items, -1);
			++*(long *)taken;
		}
	}
	return NULL;
}

static void wake(void)
{
	if (park_claim(&parking, &sleeper) == PARKED)
		park_wake(&sleeper);
}

static void *bring(void *count)
{
	for (long i = 0; i < *(long *)count; i++) {
		add(&items, 1);
		if (parking_wants_wake(&parking))
			wake();
		while (i % 64 == 0 && get(&items)) /* so that it goes to sleep now and then */
			usleep(1);
	}
	return NULL;
}

Test(park, no_wake_up_is_lost_between_two_wakers_and_a_sleeper)
{
	long count = rounds(3000000), taken = 0;
	pthread_t worker = thread(work_and_sleep, &taken), waker[2];

	for (int i = 0; i < 2; i++)
		waker[i] = thread(bring, &count);
	for (int i = 0; i < 2; i++)
		join_thread(waker[i]);
	while (get(&items))
		usleep(100);
	set(&over, 1);
	wake();
	join_thread(worker);
	CHECK_EQ(taken, 2 * count);
	CHECK_EQ(parking.hunger, 0);
}
