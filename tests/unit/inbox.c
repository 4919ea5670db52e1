/* SPDX-License-Identifier: MIT */
/* The inbox alone: what several threads put is taken once, and in each one's order. */
#include "inbox.h"

#include "../support.h"

TestSuite(inbox, .timeout = WATCHDOG);

#define PRODUCERS 4

struct letter {
	struct filch_slot_ slot; /* first */
	long from, number;
};

struct producer {
	struct inbox *in;
	struct letter *letters;
	long from, count;
};

Test(inbox, an_empty_one_gives_nothing)
{
	struct inbox in = { NULL };

	CHECK(inbox_empty(&in));
	CHECK(!inbox_take(&in));
}

Test(inbox, all_are_taken_at_once_and_oldest_first)
{
	struct filch_slot_ slot[5];
	struct inbox in = { NULL };

	for (int n = 1; n <= 5; n++) {
		struct filch_slot_ *item;

		for (int i = 0; i < n; i++)
			inbox_put(&in, &slot[i]);
		CHECK(!inbox_empty(&in));
		item = inbox_take(&in);
		CHECK(inbox_empty(&in));
		for (int i = 0; i < n; i++, item = item_next(item))
			CHECK(item == &slot[i]);
		CHECK(!item);
	}
}

static void *produce(void *producer)
{
	struct producer *p = producer;

	for (long i = 0; i < p->count; i++) {
		p->letters[i].from = p->from;
		p->letters[i].number = i;
		inbox_put(p->in, &p->letters[i].slot);
		if (i % 8 == 0)
			sched_yield(); /* so that they go on while others take */
	}
	return NULL;
}

static long receive(struct inbox *in, long *next)
{
	long n = 0;

	for (struct filch_slot_ *item = inbox_take(in); item; item = item_next(item), n++) {
		struct letter *l = (struct letter *)(void *)item;

		CHECK_EQ(l->number, next[l->from]++);
	}
	return n;
}

Test(inbox, each_producers_letters_arrive_once_and_in_order)
{
	long count = rounds(10000000) / 10, received = 0, next[PRODUCERS] = { 0 };
	struct producer producer[PRODUCERS];
	pthread_t id[PRODUCERS];
	struct inbox in = { NULL };

	for (long i = 0; i < PRODUCERS; i++) {
		producer[i] = (struct producer){ &in, aligned_alloc(64, (size_t)count * sizeof(struct letter)), i, count };
		CHECK(producer[i].letters);
		id[i] = thread(produce, &producer[i]);
	}
	while (received < PRODUCERS * count)
		received += receive(&in, next);
	for (int i = 0; i < PRODUCERS; i++) {
		join_thread(id[i]);
		free(producer[i].letters);
	}
	CHECK(inbox_empty(&in));
}
