/* SPDX-License-Identifier: MIT */
/* Forks that wait, so that their stacks come back on other workers, and joins that have to wait for them. */
#include "../support.h"

TestSuite(fork_wait, .timeout = WATCHDOG);

/* ---- leaves that wait, in every way ---- */

enum { SLEEP, YIELD, MUTEX, CHANNEL, SEM, WAYS };

static filch_mutex mutex = FILCH_MUTEX_INIT;
static filch_sem sem = FILCH_SEM_INIT(1);
static filch_chan *channel;
static long inside;

static void exclude(void)
{
	CHECK_EQ(add(&inside, 1), 1);
	filch_yield();
	CHECK_EQ(add(&inside, -1), 0);
}

static void wait_a_little(int way)
{
	char c = 'x';

	switch (way) {
	case SLEEP:
		CHECK_EQ(filch_sleep_until(filch_after(10000)), 0);
		break;
	case YIELD:
		filch_yield();
		break;
	case MUTEX:
		CHECK_EQ(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
		exclude();
		filch_mutex_unlock(&mutex);
		break;
	case CHANNEL:
		CHECK_EQ(filch_chan_send(channel, &c, FILCH_NEVER), 0);
		CHECK_EQ(filch_chan_recv(channel, &c, FILCH_NEVER), 0);
		break;
	default:
		CHECK_EQ(filch_sem_wait(&sem, FILCH_NEVER), 0);
		filch_yield();
		filch_sem_post(&sem);
	}
}

FILCH_TASK(long, fib, frame, long, n, int, way)
{
	if (n < 2) {
		wait_a_little(way);
		return n;
	}
	fib_fork(&frame, n - 1, way);
	long right = fib(frame, n - 2, way);
	if (n % 3 == 0)
		wait_a_little(way);
	return fib_join(&frame) + right;
}

Test(fork_wait, a_tree_whose_leaves_wait_has_the_same_result)
{
	filch *rt = start();

	channel = filch_chan_new(1, 1);
	for (int way = 0; way < WAYS; way++) {
		for (int i = 0; i < 5; i++)
			CHECK_EQ(fib_run(rt, 12, way), 144);
	}
	CHECK_EQ(fib_run(NULL, 12, SLEEP), 144);
	filch_chan_free(channel);
	stop(rt);
}

FILCH_TASK(long, late, frame, long, n)
{
	sleep_ms(2);
	return n;
}

FILCH_VOID_TASK(join_late, frame, long, n)
{
	for (long i = 0; i < n; i++)
		late_fork(&frame, i);
	sleep_ms(1); /* whoever is idle has taken one by now, and sleeps in it */
	for (long i = n - 1; i >= 0; i--)
		CHECK_EQ(late_join(&frame), i);
}

Test(fork_wait, a_fork_that_somebody_took_is_waited_for)
{
	filch *rt = start();

	for (int i = 0; i < 20; i++)
		join_late_run(rt, 10);
	stop(rt);
}

/* ---- deadlocks that others have ---- */

FILCH_VOID_TASK(producer, frame, filch_chan *, ch, int, n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(filch_chan_send(ch, &i, FILCH_NEVER), 0);
}

FILCH_VOID_TASK(consumer, frame, filch_chan *, ch, int, n)
{
	int got;

	producer_fork(&frame, ch, n);
	for (int i = 0; i < n; i++) {
		CHECK_EQ(filch_chan_recv(ch, &got, FILCH_NEVER), 0);
		CHECK_EQ(got, i);
	}
	producer_join(&frame);
}

Test(fork_wait, a_task_that_forks_a_producer_may_wait_for_it_on_one_worker)
{
	filch *rt = start_workers(1);

	for (size_t capacity = 0; capacity < 4; capacity++) {
		filch_chan *ch = filch_chan_new(sizeof(int), capacity);

		for (int i = 0; i < 100; i++)
			consumer_run(rt, ch, 10);
		filch_chan_free(ch);
	}
	stop(rt);
}

FILCH_VOID_TASK(work, frame, int, depth)
{
	if (depth == 0) {
		filch_yield();
		return;
	}
	work_fork(&frame, depth - 1);
	work(frame, depth - 1);
	work_join(&frame);
}

FILCH_VOID_TASK(join_with_lock, frame, int, depth)
{
	CHECK_EQ(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
	CHECK_EQ(add(&inside, 1), 1);
	work_fork(&frame, depth);
	work(frame, depth);
	work_join(&frame);
	CHECK_EQ(add(&inside, -1), 0);
	filch_mutex_unlock(&mutex);
}

FILCH_VOID_TASK(many_with_lock, frame, int, n)
{
	for (int i = 0; i < n; i++)
		join_with_lock_fork(&frame, 4);
	for (int i = 0; i < n; i++)
		join_with_lock_join(&frame);
}

Test(fork_wait, a_mutex_may_be_held_across_a_join)
{
	filch *rt = start();

	for (int i = 0; i < 10; i++)
		many_with_lock_run(rt, 20);
	CHECK_EQ(inside, 0);
	stop(rt);
}

/* A join that ran other tasks on the waiting stack would pile them up without bound. */
FILCH_TASK(long, count, frame, int, depth)
{
	if (depth == 0) {
		for (int i = 0; i < 20; i++)
			__asm__ volatile("" ::: "memory"); /* long enough for thieves to come */
		return 1;
	}
	count_fork(&frame, depth - 1);
	long n = count(frame, depth - 1);
	return count_join(&frame) + n;
}

Test(fork_wait, a_million_joins_fit_into_small_stacks)
{
	filch *rt = start_with((struct filch_options){ .workers = workers(), .stack_size = 16 << 10 });
	struct filch_stats s;

	for (int i = 0; i < 16; i++)
		CHECK_EQ(count_run(rt, 16), 1 << 16);
	CHECK_EQ(filch_stats(rt, -1, &s), 0);
	CHECK(s.stacks <= 20 * workers());
	stop(rt);
}

/* ---- a long task in the queue does not hold up a join ---- */

static long ended, leave;

static void long_task(void *unused)
{
	(void)unused;
	while (!get(&leave))
		usleep(100);
	add(&ended, 1);
}

FILCH_TASK(long, compute, frame, int64_t, ns)
{
	int64_t end = filch_after(ns);

	while (filch_now() < end)
		;
	return 1;
}

FILCH_TASK(int64_t, join_beside_queue, frame)
{
	int64_t began = filch_now();

	compute_fork(&frame, 3 * MS);
	filch_yield(); /* so that somebody takes it */
	CHECK_EQ(filch_submit(filch_here(), long_task, NULL), 0);
	CHECK_EQ(compute(frame, MS), 1);
	CHECK_EQ(compute_join(&frame), 1);
	return filch_now() - began;
}

Test(fork_wait, a_join_is_not_held_up_by_a_long_task_in_the_queue)
{
	filch *rt = start_workers(2); /* one may be in the long task, not both */

	for (int i = 0; i < 20; i++) {
		set(&leave, 0);
		CHECK(join_beside_queue_run(rt) < slack(1000 * MS));
		set(&leave, 1);
		until(&ended, i + 1);
	}
	stop(rt);
}

/* ---- stacks that move ---- */

FILCH_TASK(long, mover, frame, int, depth, unsigned long *, moves)
{
	int before = filch_worker();
	volatile double kept = depth * 1.5;
	long sum = depth;

	filch_yield();
	if (filch_worker() != before)
		__atomic_add_fetch(moves, 1, __ATOMIC_RELAXED);
	CHECK(filch_here() && filch_worker() >= 0);
	if (depth) {
		mover_fork(&frame, depth - 1, moves);
		sum += mover(frame, depth - 1, moves);
		filch_yield();
		sum += mover_join(&frame);
	}
	CHECK(kept == depth * 1.5);
	return sum;
}

Test(fork_wait, a_stack_that_moves_while_it_has_forks_joins_them_all)
{
	filch *rt = start();
	unsigned long moves = 0;

	for (int i = 0; i < 20 || (filch_workers(rt) > 1 && !moves); i++)
		CHECK_EQ(mover_run(rt, 8, &moves), 502);
	stop(rt);
}

/*
 * A wait goes straight on with another stack that is ready; what that one runs forks as well. Here
 * the worker has lent the slots that it had in hand, and two parts of a loop wait for each other.
 */
struct straight {
	filch_sem go_on, end, part[2];
};

static void meet(size_t begin, size_t end, void *straight)
{
	struct straight *s = straight;

	for (size_t i = begin; i < end; i++) {
		filch_sem_post(&s->part[i]);
		CHECK_EQ(filch_sem_wait(&s->part[1 - i], FILCH_NEVER), 0);
	}
}

static void wait_and_loop(void *straight)
{
	struct straight *s = straight;

	CHECK_EQ(filch_sem_wait(&s->go_on, FILCH_NEVER), 0);
	filch_for(filch_here(), 0, 2, 1, meet, s);
	filch_sem_post(&s->end);
}

FILCH_VOID_TASK(let_go_on, frame, struct straight *, s)
{
	filch_sem_post(&s->go_on);
	CHECK_EQ(filch_sem_wait(&s->end, FILCH_NEVER), 0);
}

Test(fork_wait, a_loop_forks_in_a_task_that_was_gone_on_with_at_once)
{
	filch *rt = start_workers(1);
	struct straight s = { FILCH_SEM_INIT(0),
		              FILCH_SEM_INIT(0),
		              { FILCH_SEM_INIT(0), FILCH_SEM_INIT(0) } };

	CHECK_EQ(filch_submit(rt, wait_and_loop, &s), 0);
	sleep_ms(10);
	let_go_on_run(rt, &s);
	stop(rt);
}
