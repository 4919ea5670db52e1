/* SPDX-License-Identifier: MIT */
/* The heap of deadlines alone, against a list that is searched from end to end. */
#include "timer.h"

#include "../support.h"

TestSuite(timer, .timeout = WATCHDOG);

#define MANY 200

static bool yes(struct timer *t)
{
	(void)t;
	return true;
}

static struct timer *refused;

static bool all_but_refused(struct timer *t)
{
	return t != refused;
}

Test(timer, they_expire_in_order_and_not_before)
{
	struct timer timer[MANY];
	struct timers ts;
	int64_t last = -1;
	int n = 0;

	timers_init(&ts);
	CHECK_EQ(timers_nearest(&ts), INT64_MAX);
	CHECK(!timers_expire(&ts, INT64_MAX, yes));
	for (int i = 0; i < MANY; i++)
		timer_arm(&ts, &timer[i], i * 7919 % MANY);
	CHECK_EQ(timers_nearest(&ts), 0);
	CHECK(!timers_expire(&ts, -1, yes));
	for (struct timer *t = timers_expire(&ts, MANY / 2, yes); t; t = t->next, n++) {
		CHECK(t->when > last);
		last = t->when;
	}
	CHECK_EQ(n, MANY / 2 + 1);
	CHECK_EQ(timers_nearest(&ts), MANY / 2 + 1);
}

Test(timer, what_moved_expires_and_is_disarmed_where_it_went)
{
	struct timer timer[MANY];
	struct timers from, to;
	int n = 0;

	timers_init(&from);
	timers_init(&to);
	for (int i = 0; i < MANY; i++)
		timer_arm(i % 3 ? &from : &to, &timer[i], i * 7919 % MANY);
	timers_move(&from, &to);
	CHECK_EQ(timers_nearest(&from), INT64_MAX);
	CHECK_EQ(timers_bedtime(&to), 0);
	for (int i = 0; i < MANY; i += 2)
		timer_disarm(&timer[i]);
	for (struct timer *t = timers_expire(&to, MANY, yes); t; t = t->next, n++)
		CHECK((t - timer) % 2);
	CHECK_EQ(n, MANY / 2);
	CHECK_EQ(timers_nearest(&to), INT64_MAX);
}

/* Each in turn, wherever in the heap it lies, before and after an expiry has made a tree of the list. */
Test(timer, any_one_can_be_disarmed_wherever_it_lies)
{
	for (int which = 0; which < MANY; which++) {
		for (int expired = 0; expired <= 100; expired += 50) {
			struct timer timer[MANY];
			struct timers ts;
			int n = 0;

			timers_init(&ts);
			for (int i = 0; i < MANY; i++)
				timer_arm(&ts, &timer[i], i * 7919 % MANY);
			for (struct timer *t = timers_expire(&ts, expired - 1, yes); t; t = t->next)
				n++;
			CHECK_EQ(n, expired);
			n += timer[which].when >= expired;
			timer_disarm(&timer[which]);
			timer_disarm(&timer[which]); /* a second time is nothing */
			for (struct timer *t = timers_expire(&ts, MANY, yes); t; t = t->next, n++)
				CHECK(t != &timer[which]);
			CHECK_EQ(n, MANY);
			CHECK_EQ(timers_nearest(&ts), INT64_MAX);
		}
	}
}

Test(timer, who_is_not_claimed_is_out_and_not_returned)
{
	struct timer timer[3];
	struct timers ts;

	timers_init(&ts);
	for (int i = 0; i < 3; i++)
		timer_arm(&ts, &timer[i], i);
	refused = &timer[1];
	CHECK(timers_expire(&ts, 5, all_but_refused) == &timer[0]);
	CHECK(timer[0].next == &timer[2] && !timer[2].next);
	timer_disarm(&timer[1]);
	CHECK_EQ(timers_nearest(&ts), INT64_MAX);
}

static int64_t nearest(const struct timer *timer)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < MANY; i++)
		least = timer[i].armed && timer[i].when < least ? timer[i].when : least;
	return least;
}

static void expire(struct timers *ts, struct timer *timer, int64_t now)
{
	int due = 0, n = 0;
	int64_t last = INT64_MIN;

	for (int i = 0; i < MANY; i++)
		due += timer[i].armed && timer[i].when <= now;
	for (struct timer *t = timers_expire(ts, now, yes); t; t = t->next, n++) {
		CHECK(t->when <= now && t->when >= last && !t->armed);
		last = t->when;
	}
	CHECK_EQ(n, due);
}

Test(timer, a_hundred_thousand_random_steps_agree_with_a_search)
{
	struct timer timer[MANY] = { { .armed = false } };
	unsigned random = 7;
	struct timers ts;

	timers_init(&ts);
	for (int i = 0; i < MANY; i++)
		timer[i].home = &ts;
	for (int step = 0; step < 100000; step++) {
		struct timer *t;

		random = random * 1664525 + 1013904223;
		t = &timer[(random >> 8) % MANY];
		if (random >> 28 == 0)
			expire(&ts, timer, step);
		else if (t->armed)
			timer_disarm(t);
		else
			timer_arm(&ts, t, step + (random >> 16) % 100);
		CHECK_EQ(timers_nearest(&ts), nearest(timer));
	}
}

/* Arming and disarming from several threads: nothing is left in the heap, and nothing breaks. */
static struct timers shared;

static void *arm_and_disarm(void *unused)
{
	struct timer mine[8];

	for (long round = 0; round < rounds(1000000); round++) {
		for (int i = 0; i < 8; i++)
			timer_arm(&shared, &mine[i], round * 8 + i * 3 % 8);
		for (int i = 0; i < 8; i++)
			timer_disarm(&mine[i * 5 % 8]);
	}
	return unused;
}

Test(timer, several_threads_share_a_heap)
{
	pthread_t id[3];

	timers_init(&shared);
	for (int i = 0; i < 3; i++)
		id[i] = thread(arm_and_disarm, NULL);
	for (int i = 0; i < 3; i++)
		join_thread(id[i]);
	CHECK_EQ(timers_nearest(&shared), INT64_MAX);
	CHECK(!timers_expire(&shared, INT64_MAX, yes));
}
