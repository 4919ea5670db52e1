/* SPDX-License-Identifier: MIT */
/* Resizing: nothing is lost and nothing waits for ever, whatever a worker that leaves has in hand. */
#include "../support.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

TestSuite(resize, .timeout = WATCHDOG);

static void resize(filch *rt, unsigned n)
{
	CHECK_EQ(filch_resize(rt, n), 0);
	CHECK_EQ(filch_workers(rt), n);
}

/* Until those that are too many have gone. */
static void until_threads(long n)
{
	while (threads_named("filch/") != n)
		usleep(1000);
}

static void count(void *n)
{
	add(n, 1);
}

Test(resize, absurd_numbers_are_einval)
{
	filch *rt = start();

	CHECK_EQ(filch_resize(NULL, 1), -EINVAL);
	CHECK_EQ(filch_resize(rt, 0), -EINVAL);
	CHECK_EQ(filch_resize(rt, 1025), -EINVAL);
	CHECK_EQ(filch_workers(rt), workers());
	stop(rt);
}

Test(resize, threads_come_and_go)
{
	const unsigned sizes[] = { 1, 4, 2, 2, 17, 1, 3 };
	filch *rt = start_workers(2);
	struct filch_stats s;
	long n = 0;

	for (size_t i = 0; i < LENGTH(sizes); i++) {
		errno = 4321;
		resize(rt, sizes[i]);
		CHECK_EQ(errno, 4321);
		until_threads((long)sizes[i]);
		for (int j = 0; j < 100; j++)
			CHECK_EQ(filch_run(rt, count, &n), 0);
		CHECK_EQ(filch_stats(rt, (int)sizes[i] - 1, &s), 0);
		CHECK_EQ(filch_stats(rt, (int)sizes[i], &s), -EINVAL);
		do /* counted just after the run has returned */
			CHECK_EQ(filch_stats(rt, -1, &s), 0);
		while (s.pending);
		CHECK_EQ(s.tasks, n);
	}
	stop(rt);
	CHECK_EQ(threads_named("filch/"), 0);
}

/* ---- what it cannot have ---- */

Test(resize, without_descriptors_it_stays_as_it_is)
{
	filch *rt = start_workers(2);
	struct rlimit few = { 32, 32 };
	long n = 0;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	CHECK_EQ(filch_resize(rt, 64), -EMFILE);
	CHECK_EQ(filch_workers(rt), 2);
	CHECK_EQ(filch_run(rt, count, &n), 0);
	resize(rt, 1);
	stop(rt);
	CHECK_EQ(n, 1);
}

#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
Test(resize, without_threads_it_stays_as_it_is)
{
	filch *rt = start_workers(2);
	pthread_attr_t usual, huge;
	long n = 0;

	CHECK_EQ(pthread_getattr_default_np(&usual), 0);
	CHECK_EQ(pthread_attr_init(&huge), 0);
	CHECK_EQ(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
	CHECK_EQ(pthread_setattr_default_np(&huge), 0);
	CHECK_EQ(filch_resize(rt, 4), -EAGAIN);
	CHECK_EQ(filch_workers(rt), 2);
	CHECK_EQ(pthread_setattr_default_np(&usual), 0);
	resize(rt, 3);
	until_threads(3);
	CHECK_EQ(filch_run(rt, count, &n), 0);
	stop(rt);
}
#endif

/* ---- under load ---- */

struct load {
	filch *rt;
	long leave, begun, done;
};

FILCH_TASK(long, fib, frame, long, n)
{
	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);
	long right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

static void *fork_and_join(void *load)
{
	struct load *l = load;

	while (!get(&l->leave)) {
		CHECK_EQ(fib_run(l->rt, 18), 2584);
		add(&l->done, 1);
	}
	return NULL;
}

static void submit_two(void *load)
{
	struct load *l = load;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_submit(l->rt, count, &l->done), 0);
}

static void *submit_many(void *load)
{
	struct load *l = load;

	while (!get(&l->leave)) {
		for (int i = 0; i < 64; i++)
			CHECK_EQ(filch_submit(l->rt, submit_two, l), 0);
		add(&l->begun, 128);
		while (get(&l->begun) - get(&l->done) > 1000)
			sched_yield();
	}
	return NULL;
}

static void sleep_often(void *load)
{
	struct load *l = load;

	while (!get(&l->leave)) {
		int64_t until = filch_after(MS);

		CHECK_EQ(filch_sleep_until(until), 0);
		CHECK(filch_now() >= until);
		add(&l->done, 1);
	}
}

struct pair {
	struct load *load;
	int fd[2];
};

static void echo(void *pair)
{
	struct pair *p = pair;
	char c;

	while (filch_read(p->fd[1], &c, 1, FILCH_NEVER) == 1)
		CHECK_EQ(filch_write(p->fd[1], &c, 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_close(p->fd[1]), 0);
}

static void call(void *pair)
{
	struct pair *p = pair;
	char c = 'x';

	while (!get(&p->load->leave)) {
		CHECK_EQ(filch_write(p->fd[0], &c, 1, FILCH_NEVER), 1);
		CHECK_EQ(filch_read(p->fd[0], &c, 1, filch_after(slack(20000 * MS))), 1);
		add(&p->load->done, 1);
	}
	CHECK_EQ(filch_close(p->fd[0]), 0);
}

/* Up and down at random, until each kind of load has done something at each size. */
static void resize_often(filch *rt, struct load *load, size_t kinds)
{
	long times = rounds(3000);
	unsigned random = 1;

	for (long i = 0; i < times; i++) {
		random = random * 1103515245 + 12345;
		resize(rt, 1 + (random >> 16) % 5);
		for (size_t k = 0; k < kinds; k++)
			until(&load[k].done, get(&load[k].done) + 2);
	}
	for (size_t k = 0; k < kinds; k++)
		set(&load[k].leave, 1);
}

Test(resize, under_forks_and_joins_and_submits)
{
	filch *rt = start();
	struct load load[] = { { .rt = rt }, { .rt = rt } };
	pthread_t id[] = { thread(fork_and_join, &load[0]), thread(fork_and_join, &load[0]),
		           thread(submit_many, &load[1]), thread(submit_many, &load[1]) };

	resize_often(rt, load, 2);
	for (size_t i = 0; i < LENGTH(id); i++)
		join_thread(id[i]);
	stop(rt);
	CHECK_EQ(load[1].done, load[1].begun);
}

Test(resize, under_sleepers_and_sockets)
{
	filch *rt = start();
	struct load load[] = { { .rt = rt }, { .rt = rt } };
	struct pair pair[8];

	for (size_t i = 0; i < LENGTH(pair); i++) {
		pair[i].load = &load[1];
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i].fd), 0);
		CHECK_EQ(filch_submit(rt, echo, &pair[i]), 0);
		CHECK_EQ(filch_submit(rt, call, &pair[i]), 0);
		CHECK_EQ(filch_submit(rt, sleep_often, &load[0]), 0);
	}
	resize_often(rt, load, 2);
	stop(rt);
}

/* ---- what a worker that leaves was the only one to look at ---- */

struct waiting {
	long begun, ended, where[4];
	int fd[2];
};

/* Meet, so that each is on a worker of its own, and wait there. */
static void meet(struct waiting *w)
{
	add(&w->where[filch_worker()], 1);
	add(&w->begun, 1);
	while (get(&w->begun) < 4)
		usleep(100);
}

static void sleep_apart(void *waiting)
{
	struct waiting *w = waiting;
	int64_t until;

	meet(w);
	until = filch_after(300 * MS);
	CHECK_EQ(filch_sleep_until(until), 0);
	CHECK(filch_now() >= until);
	add(&w->ended, 1);
}

static void start_waiting(filch *rt, filch_fn *fn, struct waiting *w)
{
	for (int i = 0; i < 4; i++)
		CHECK_EQ(filch_submit(rt, fn, w), 0);
	until(&w->begun, 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(w->where[i], 1);
	usleep(20000);
	resize(rt, 1);
	until_threads(1);
}

Test(resize, deadlines_are_kept_by_others)
{
	struct waiting w = { 0 };
	filch *rt = start_workers(4);

	start_waiting(rt, sleep_apart, &w);
	until(&w.ended, 4);
	stop(rt);
}

static void read_apart(void *waiting)
{
	struct waiting *w = waiting;
	char c;

	meet(w);
	CHECK_EQ(filch_read(w->fd[0], &c, 1, FILCH_NEVER), 1);
	add(&w->ended, 1);
}

static void poll_apart(void *waiting)
{
	struct waiting *w = waiting;

	meet(w);
	CHECK_EQ(filch_poll(w->fd[0], POLLIN, FILCH_NEVER), POLLIN);
	add(&w->ended, 1);
}

Test(resize, descriptors_are_watched_by_others)
{
	struct waiting w = { 0 };
	filch *rt = start_workers(4);

	CHECK_EQ(pipe(w.fd), 0);
	start_waiting(rt, read_apart, &w);
	for (int i = 1; i <= 4; i++) {
		CHECK_EQ(write(w.fd[1], "x", 1), 1);
		until(&w.ended, i);
	}
	stop(rt);
}

Test(resize, readiness_is_awaited_by_others)
{
	struct waiting w = { 0 };
	filch *rt = start_workers(4);

	CHECK_EQ(pipe(w.fd), 0);
	start_waiting(rt, poll_apart, &w);
	CHECK_EQ(get(&w.ended), 0);
	CHECK_EQ(write(w.fd[1], "x", 1), 1);
	until(&w.ended, 4);
	stop(rt);
}

/* ---- who is busy leaves when it can ---- */

static void compute(void *waiting)
{
	struct waiting *w = waiting;

	meet(w);
	while (!get(&w->ended))
		CHECK_EQ(fib_run(filch_here(), 20), 6765);
}

Test(resize, a_long_computation_gives_way)
{
	struct waiting w = { 0 };
	filch *rt = start_workers(4);

	start_waiting(rt, compute, &w); /* returns when one thread is left */
	set(&w.ended, 1);
	stop(rt);
}

static void hold(void *waiting)
{
	struct waiting *w = waiting;

	add(&w->begun, 1);
	while (!get(&w->ended))
		usleep(100);
}

/* The last task of all runs on a worker that is one too many, while the other has looked and sleeps. */
Test(resize, who_leaves_last_ends_the_runtime)
{
	for (long i = 0; i < rounds(2000); i++) {
		struct waiting w = { 0 };
		filch *rt = start_workers(2);

		CHECK_EQ(filch_submit(rt, hold, &w), 0);
		CHECK_EQ(filch_submit(rt, hold, &w), 0);
		until(&w.begun, 2);
		resize(rt, 1);
		set(&w.ended, 1);
		stop(rt);
	}
}

/* ---- from tasks, at once, and while stopping ---- */

static void resize_at_random(void *rt)
{
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ(filch_resize(rt, 1 + (i * 7 + (unsigned)(uintptr_t)&i / 4096) % 6), 0);
}

static void shrink_and_grow(void *rt)
{
	resize(rt, 1);
	do
		sleep_ms(2); /* perhaps from a worker that leaves; and none at all, if we are late */
	while (filch_worker() != 0);
	resize(rt, 3);
}

Test(resize, a_task_resizes_its_own_runtime_and_another)
{
	filch *rt = start_workers(3), *other = start_workers(3);

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(filch_run(rt, shrink_and_grow, rt), 0);
		CHECK_EQ(filch_run(rt, resize_at_random, other), 0);
	}
	stop(rt);
	stop(other);
}

static void *resize_in_thread(void *rt)
{
	resize_at_random(rt);
	return NULL;
}

Test(resize, many_resize_at_once)
{
	filch *rt = start();
	pthread_t id[4];

	for (size_t i = 0; i < LENGTH(id); i++) {
		id[i] = thread(resize_in_thread, rt);
		CHECK_EQ(filch_submit(rt, resize_at_random, rt), 0);
	}
	for (size_t i = 0; i < LENGTH(id); i++)
		join_thread(id[i]);
	CHECK_EQ(filch_run(rt, resize_at_random, rt), 0);
	resize(rt, 2);
	until_threads(2);
	stop(rt);
}

static void resize_while_stopping(void *waiting)
{
	struct waiting *w = waiting;
	int error;

	add(&w->begun, 1);
	while (!(error = filch_resize(filch_here(), 1 + (unsigned)w->ended++ % 3)))
		sleep_ms(1);
	CHECK_EQ(error, -ESHUTDOWN);
}

Test(resize, a_runtime_that_stops_keeps_its_size)
{
	for (long i = 0; i < rounds(1000); i++) {
		struct waiting w = { 0 };
		filch *rt = start();

		CHECK_EQ(filch_submit(rt, resize_while_stopping, &w), 0);
		until(&w.begun, 1);
		usleep((unsigned)i % 10 * 500);
		stop(rt);
	}
}
