/* SPDX-License-Identifier: MIT */
/* Channels: order, capacity, deadlines, closing, among tasks and threads. */
#include "../support.h"

TestSuite(chan, .timeout = WATCHDOG);

#define SENDERS 4
#define RECEIVERS 3

struct traffic {
	filch_chan *ch;
	size_t size;
	long each, sent, received, sum;
	long next_sender;
};

struct letter { /* the beginning of every item */
	int from, number;
};

/* An item is filled to its end, and one byte behind it must stay. */
static void fill(unsigned char *item, size_t size, long from, long number)
{
	struct letter l = { (int)from, (int)number };

	memset(item, (int)(number & 0x7f), size);
	memcpy(item, &l, size < sizeof(l) ? 0 : sizeof(l));
}

static void send_many(void *traffic)
{
	struct traffic *t = traffic;
	long me = add(&t->next_sender, 1) - 1;
	unsigned char item[1001];

	for (long i = 0; i < t->each; i++) {
		fill(item, t->size, me, i);
		CHECK_EQ(filch_chan_send(t->ch, item, FILCH_NEVER), 0);
		add(&t->sent, 1);
	}
}

static void receive_many(void *traffic)
{
	long last[SENDERS] = { -1, -1, -1, -1 };
	struct traffic *t = traffic;
	unsigned char item[1001];
	int result;

	item[t->size] = 0xee;
	while (!(result = filch_chan_recv(t->ch, item, FILCH_NEVER))) {
		struct letter l;

		CHECK_EQ(item[t->size], 0xee);
		add(&t->received, 1);
		if (t->size < sizeof(l))
			continue;
		memcpy(&l, item, sizeof(l));
		CHECK(l.from >= 0 && l.from < SENDERS && l.number > last[l.from]);
		last[l.from] = l.number;
		for (size_t i = sizeof(l); i < t->size; i++)
			CHECK_EQ(item[i], l.number & 0x7f);
		add(&t->sum, l.number);
	}
	CHECK_EQ(result, -EPIPE);
}

/* Half of the senders and receivers are tasks, half are threads. */
static void pass(filch *rt, size_t size, size_t capacity)
{
	struct traffic t = { .ch = filch_chan_new(size, capacity), .size = size, .each = 300 };
	struct beside sender[SENDERS / 2], receiver;
	filch_group senders, receivers;

	CHECK(t.ch);
	filch_group_init(&senders, rt);
	filch_group_init(&receivers, rt);
	for (int i = 1; i < RECEIVERS; i++)
		CHECK_EQ(filch_group_submit(&receivers, receive_many, &t), 0);
	beside(&receiver, receive_many, &t);
	for (int i = 0; i < SENDERS / 2; i++) {
		CHECK_EQ(filch_group_submit(&senders, send_many, &t), 0);
		beside(&sender[i], send_many, &t);
	}
	CHECK_EQ(filch_group_wait(&senders), 0);
	for (int i = 0; i < SENDERS / 2; i++)
		finish(&sender[i]);
	filch_chan_close(t.ch);
	CHECK_EQ(filch_group_wait(&receivers), 0);
	finish(&receiver);
	filch_chan_free(t.ch);
	CHECK_EQ(t.received, SENDERS * t.each);
	if (size >= sizeof(struct letter))
		CHECK_EQ(t.sum, SENDERS * t.each * (t.each - 1) / 2);
}

Test(chan, every_item_arrives_once_and_in_its_senders_order)
{
	const size_t sizes[] = { 0, 1, 8, 1000 }, capacities[] = { 0, 1, 100 };
	filch *rt = start();

	for (size_t s = 0; s < LENGTH(sizes); s++) {
		for (size_t c = 0; c < LENGTH(capacities); c++)
			pass(rt, sizes[s], capacities[c]);
	}
	stop(rt);
}

static void capacity_is_exact(void *unused)
{
	(void)unused;
	for (size_t capacity = 0; capacity < 5; capacity++) {
		filch_chan *ch = filch_chan_new(sizeof(int), capacity);
		int n;

		for (int round = 0; round < 3; round++) {
			for (n = 0; n < (int)capacity; n++)
				CHECK_EQ(filch_chan_send(ch, &n, 0), 0);
			CHECK_EQ(filch_chan_send(ch, &n, 0), -ETIMEDOUT);
			CHECK_EQ(filch_chan_send(ch, &n, filch_after(MS)), -ETIMEDOUT);
			for (int i = 0; i < (int)capacity; i++) {
				CHECK_EQ(filch_chan_recv(ch, &n, 0), 0);
				CHECK_EQ(n, i);
			}
			CHECK_EQ(filch_chan_recv(ch, &n, 0), -ETIMEDOUT);
			CHECK_EQ(filch_chan_recv(ch, &n, filch_after(MS)), -ETIMEDOUT);
		}
		filch_chan_free(ch);
	}
}

Test(chan, it_holds_as_many_as_it_was_made_for)
{
	in_task_and_thread(capacity_is_exact, NULL);
}

static void receive_late(void *ch)
{
	int n = 0;

	sleep_ms(10);
	CHECK_EQ(filch_chan_recv(ch, &n, FILCH_NEVER), 0);
	CHECK_EQ(n, 5);
}

static void rendezvous(void *unused)
{
	filch_chan *ch = filch_chan_new(sizeof(int), 0);
	int64_t began = filch_now();
	struct beside receiver;

	(void)unused;
	beside(&receiver, receive_late, ch);
	CHECK_EQ(filch_chan_send(ch, &(int){ 5 }, FILCH_NEVER), 0);
	CHECK(filch_now() >= began + 10 * MS);
	finish(&receiver);
	filch_chan_free(ch);
}

Test(chan, a_send_without_places_completes_when_somebody_has_received)
{
	in_task_and_thread(rendezvous, NULL);
}

/* ---- closing ---- */

static long ended;

static void receive_epipe(void *ch)
{
	char c;

	CHECK_EQ(filch_chan_recv(ch, &c, FILCH_NEVER), -EPIPE);
	add(&ended, 1);
}

static void send_epipe(void *ch)
{
	CHECK_EQ(filch_chan_send(ch, "x", FILCH_NEVER), -EPIPE);
	add(&ended, 1);
}

static void close_wakes(void *unused)
{
	filch_fn *fns[] = { receive_epipe, send_epipe };

	(void)unused;
	for (size_t f = 0; f < LENGTH(fns); f++) {
		filch_chan *ch = filch_chan_new(1, 0);
		struct beside waiting[5];

		set(&ended, 0);
		for (int i = 0; i < 5; i++)
			beside(&waiting[i], fns[f], ch);
		sleep_ms(5);
		CHECK_EQ(get(&ended), 0);
		filch_chan_close(ch);
		for (int i = 0; i < 5; i++)
			finish(&waiting[i]);
		CHECK_EQ(ended, 5);
		filch_chan_close(ch); /* twice is once */
		filch_chan_free(ch);
	}
}

Test(chan, a_close_wakes_everybody)
{
	in_task_and_thread(close_wakes, NULL);
}

Test(chan, what_is_in_it_can_be_received_after_a_close)
{
	filch_chan *ch = filch_chan_new(sizeof(int), 3);
	int n;

	for (n = 0; n < 3; n++)
		CHECK_EQ(filch_chan_send(ch, &n, 0), 0);
	filch_chan_close(ch);
	CHECK_EQ(filch_chan_send(ch, &n, FILCH_NEVER), -EPIPE);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(filch_chan_recv(ch, &n, FILCH_NEVER), 0);
		CHECK_EQ(n, i);
	}
	CHECK_EQ(filch_chan_recv(ch, &n, FILCH_NEVER), -EPIPE);
	filch_chan_free(ch);
}

Test(chan, a_size_that_overflows_is_refused)
{
	CHECK(!filch_chan_new(SIZE_MAX, 2));
	CHECK(!filch_chan_new(2, SIZE_MAX));
	CHECK(!filch_chan_new(SIZE_MAX, 1));
	CHECK(!filch_chan_new((size_t)PTRDIFF_MAX - 1, 1));
}

/* ---- two senders and a deadline race for one receiver ---- */

struct race {
	filch_chan *ch;
	long sent, received, late, over;
};

static void send_by_deadline(void *race)
{
	struct race *r = race;

	for (long i = 0; !get(&r->over); i++) {
		int result = filch_chan_send(r->ch, &i, filch_after(i % 5 * 10000));

		CHECK(!result || result == -ETIMEDOUT);
		add(&r->sent, !result);
	}
}

static void race_for_items(filch *rt, size_t capacity)
{
	struct race r = { .ch = filch_chan_new(sizeof(long), capacity) };
	struct beside outside;
	filch_group g;
	long n;

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, send_by_deadline, &r), 0);
	beside(&outside, send_by_deadline, &r);
	for (long i = 0; i < rounds(100000); i++) {
		int result = filch_chan_recv(r.ch, &n, filch_after(i % 7 * 10000));

		CHECK(!result || result == -ETIMEDOUT);
		r.received += !result;
		r.late += !!result;
	}
	set(&r.over, 1);
	finish(&outside);
	CHECK_EQ(filch_group_wait(&g), 0);
	while (!filch_chan_recv(r.ch, &n, 0))
		r.received++;
	CHECK_EQ(get(&r.sent), r.received);
	filch_chan_free(r.ch);
}

Test(chan, a_waiter_gets_an_item_or_is_late_and_never_both)
{
	filch *rt = start();

	race_for_items(rt, 0);
	race_for_items(rt, 1);
	stop(rt);
}
