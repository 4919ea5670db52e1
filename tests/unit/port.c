/* SPDX-License-Identifier: MIT */
/* Ports: one thread is in, what it leaves is taken once, and a thread that finds all occupied submits all the same. */
#include "worker.h"

#include "../support.h"

TestSuite(port, .timeout = WATCHDOG);

#define PRODUCERS 4
#define TAKERS    2

Test(port, only_one_is_in_and_each_entry_counts)
{
	struct port p = { 0 };

	CHECK_EQ(port_init(&p), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		CHECK(port_enter(&p));
		CHECK(!port_enter(&p));
		CHECK_EQ(port_admitted(&p), i);
		port_leave(&p);
		CHECK_EQ(port_admitted(&p), i);
	}
	port_destroy(&p);
}

static struct port shared;
static long left, taken;
static unsigned char *seen;

static void *produce(void *producer)
{
	long count = rounds(20000000) / PRODUCERS, from = (long)(intptr_t)producer * count;

	for (long i = from; i < from + count;) {
		if (!port_enter(&shared))
			continue;
		CHECK_EQ(deque_push_one(&shared.arrived, (void *)(intptr_t)(i + 1)), 0);
		port_leave(&shared);
		i++;
	}
	add(&left, count);
	return NULL;
}

static void *consume(void *unused)
{
	void *items[128];

	while (get(&taken) < rounds(20000000) / PRODUCERS * PRODUCERS) {
		int64_t n = deque_take(&shared.arrived, items, 1 + rand() % 128);

		for (int64_t i = 0; i < n; i++)
			__atomic_add_fetch(&seen[(intptr_t)items[i] - 1], 1, __ATOMIC_RELAXED);
		add(&taken, n);
	}
	return unused;
}

Test(port, what_several_threads_leave_is_taken_once)
{
	long count = rounds(20000000) / PRODUCERS * PRODUCERS;
	pthread_t id[PRODUCERS + TAKERS];

	seen = calloc((size_t)count, 1);
	CHECK(seen && !port_init(&shared));
	for (long i = 0; i < PRODUCERS; i++)
		id[i] = thread(produce, (void *)i);
	for (int i = 0; i < TAKERS; i++)
		id[PRODUCERS + i] = thread(consume, NULL);
	for (int i = 0; i < PRODUCERS + TAKERS; i++)
		join_thread(id[i]);
	for (long i = 0; i < count; i++)
		CHECK_EQ(seen[i], 1);
	CHECK_EQ(port_admitted(&shared), count);
	CHECK_EQ(deque_size(&shared.arrived), 0);
	port_destroy(&shared);
	free(seen);
}

/* ---- in a runtime ---- */

static void count(void *n)
{
	add(n, 1);
}

static void for_all_ports(filch *rt, void (*fn)(struct port *))
{
	for (unsigned i = 0; i < rt->known; i++) {
		for (int j = 0; j < PORTS; j++)
			fn(&rt->worker[i]->port[j]);
	}
}

static void occupy(struct port *p)
{
	CHECK(port_enter(p));
}

Test(port, with_all_of_them_occupied_tasks_run_all_the_same)
{
	filch *rt = start();
	long n = 0, tasks = 1000;
	filch_group g;

	for_all_ports(rt, occupy);
	filch_group_init(&g, rt);
	for (long i = 0; i < tasks; i++) {
		CHECK_EQ(filch_group_submit(&g, count, &n), 0);
		CHECK_EQ(filch_submit(rt, count, &n), 0);
	}
	CHECK_EQ(filch_group_wait(&g), 0);
	for_all_ports(rt, port_leave);
	/* Nobody submitted what the entries above have counted. */
	__atomic_add_fetch(&rt->refused, rt->known * PORTS, __ATOMIC_SEQ_CST);
	stop(rt);
	CHECK_EQ(n, 2 * tasks);
}

static filch *busy;

static void *submit_some(void *n)
{
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(filch_submit(busy, count, n), 0);
	return NULL;
}

Test(port, more_threads_than_ports_submit_at_once)
{
	enum { THREADS = 3 * PORTS };
	pthread_t id[THREADS];
	long n = 0;

	busy = start_workers(1);
	for (int i = 0; i < THREADS; i++)
		id[i] = thread(submit_some, &n);
	for (int i = 0; i < THREADS; i++)
		join_thread(id[i]);
	stop(busy);
	CHECK_EQ(n, THREADS * 1000);
}
