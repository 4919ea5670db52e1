/* SPDX-License-Identifier: MIT */
/* Starting: options, workers, submit and run, limits. Stopping is in stop.c. */
#include "../support.h"

#include <signal.h>

TestSuite(start, .timeout = WATCHDOG);

static void count(void *n)
{
	add(n, 1);
}

/* ---- options ---- */

Test(start, absurd_options_are_einval)
{
	const struct filch_options absurd[] = {
		{ .workers = 1025 },
		{ .workers = UINT32_MAX },
		{ .stack_size = 1 },
		{ .stack_size = (16 << 10) - 1 },
		{ .stack_size = ((size_t)1 << 30) + 1 },
		{ .stack_size = SIZE_MAX },
		{ .flags = 1u << 31 },
		{ .flags = 16 },
		{ .reserved = { 1 } },
		{ .reserved = { 0, 0, 0, 0, 0, 0, 1 } },
	};

	for (size_t i = 0; i < LENGTH(absurd); i++) {
		errno = 0;
		CHECK(!filch_start(&absurd[i]));
		CHECK_EQ(errno, EINVAL);
	}
}

Test(start, the_extremes_that_are_allowed_work)
{
	const struct filch_options extremes[] = {
		{ .workers = 0 },
		{ .workers = 1 },
		{ .workers = 64, .stack_size = 16 << 10 },
		{ .workers = 1, .stack_size = (size_t)1 << 30 },
		{ .workers = 2, .stack_size = (16 << 10) + 1 },
		{ .workers = 2, .flags = FILCH_PIN | FILCH_EPOLL | FILCH_REPORT_OVERFLOW | FILCH_NO_ATFORK },
		{ .workers = 2, .max_blocking = UINT32_MAX, .max_pending = SIZE_MAX },
	};

	for (size_t i = 0; i < LENGTH(extremes); i++) {
		filch *rt = start_with(extremes[i]);
		long n = 0;

		CHECK(filch_workers(rt) == extremes[i].workers || !extremes[i].workers);
		CHECK_EQ(filch_run(rt, count, &n), 0);
		CHECK_EQ(n, 1);
		stop(rt);
	}
}

Test(start, null_options_are_defaults)
{
	filch *rt = filch_start(NULL);
	long n = 0;

	CHECK(rt && filch_workers(rt) >= 1);
	CHECK_EQ(filch_run(rt, count, &n), 0);
	CHECK_EQ(n, 1);
	stop(rt);
}

Test(start, null_arguments_are_einval)
{
	filch *rt = start();
	struct filch_stats s;

	CHECK_EQ(filch_stop(NULL), -EINVAL);
	CHECK_EQ(filch_submit(NULL, count, NULL), -EINVAL);
	CHECK_EQ(filch_submit(rt, NULL, NULL), -EINVAL);
	CHECK_EQ(filch_run(NULL, count, NULL), -EINVAL);
	CHECK_EQ(filch_run(rt, NULL, NULL), -EINVAL);
	CHECK_EQ(filch_stats(NULL, -1, &s), -EINVAL);
	CHECK_EQ(filch_stats(rt, -1, NULL), -EINVAL);
	CHECK_EQ(filch_stats(rt, -2, &s), -EINVAL);
	CHECK_EQ(filch_stats(rt, (int)workers(), &s), -EINVAL);
	CHECK_EQ(filch_workers(NULL), 0);
	stop(rt);
}

Test(start, errno_stays_as_it_was)
{
	struct filch_stats s;
	long n = 0;
	filch *rt;

	errno = 4321;
	rt = filch_start(NULL);
	CHECK_EQ(errno, 4321);
	CHECK(rt && !filch_submit(rt, count, &n) && !filch_run(rt, count, &n) && !filch_stats(rt, -1, &s));
	CHECK_EQ(errno, 4321);
	stop(rt);
	CHECK_EQ(errno, 4321);
}

/* ---- where am I ---- */

static void here(void *rt)
{
	CHECK(filch_here() == rt);
	CHECK(filch_worker() >= 0 && filch_worker() < (int)filch_workers(rt));
}

Test(start, a_task_knows_where_it_runs_and_a_thread_that_it_is_nowhere)
{
	filch *rt = start();

	CHECK(!filch_here());
	CHECK_EQ(filch_worker(), -1);
	CHECK_EQ(filch_run(rt, here, rt), 0);
	CHECK_EQ(filch_version(), FILCH_VERSION);
	stop(rt);
}

/* ---- submit and run ---- */

Test(start, every_task_that_was_submitted_runs_once)
{
	filch *rt = start();
	long n = 0;

	for (int i = 0; i < 10000; i++)
		CHECK_EQ(filch_submit(rt, count, &n), 0);
	stop(rt);
	CHECK_EQ(n, 10000);
}

struct tree {
	long *n;
	int depth;
};

static void grow(void *tree)
{
	struct tree t = *(struct tree *)tree;

	free(tree);
	add(t.n, 1);
	for (int i = 0; t.depth && i < 3; i++) {
		struct tree *next = malloc(sizeof(*next));

		*next = (struct tree){ t.n, t.depth - 1 };
		CHECK_EQ(filch_submit(filch_here(), grow, next), 0);
	}
}

Test(start, tasks_submit_tasks)
{
	filch *rt = start();
	struct tree *t = malloc(sizeof(*t));
	long n = 0;

	*t = (struct tree){ &n, 8 };
	CHECK_EQ(filch_submit(rt, grow, t), 0);
	stop(rt);
	CHECK_EQ(n, 9841);
}

struct nest {
	filch *own, *other;
	long depth, n;
};

static void run_deeper(void *nest)
{
	struct nest *x = nest;

	CHECK(filch_here() == (x->depth % 2 && x->other ? x->other : x->own));
	x->n++;
	if (--x->depth >= 0)
		CHECK_EQ(filch_run(x->depth % 2 && x->other ? x->other : x->own, run_deeper, x), 0);
}

Test(start, runs_are_nested_in_one_runtime_and_across_two)
{
	filch *rt = start(), *other = start();
	struct nest within = { rt, NULL, 100, 0 }, across = { rt, other, 20, 0 };
	struct filch_stats s;

	CHECK_EQ(filch_run(rt, run_deeper, &within), 0);
	CHECK_EQ(within.n, 101);
	CHECK_EQ(filch_stats(rt, -1, &s), 0);
	CHECK_EQ(s.tasks, 1); /* the nested ones are plain calls */
	CHECK_EQ(filch_run(rt, run_deeper, &across), 0);
	CHECK_EQ(across.n, 21);
	stop(rt);
	stop(other);
}

static void *run_often(void *rt)
{
	long n = 0;

	for (long i = 0; i < 1000; i++) {
		CHECK_EQ(filch_run(rt, count, &n), 0);
		CHECK_EQ(n, i + 1);
	}
	return NULL;
}

Test(start, many_threads_run_tasks_at_once)
{
	filch *rt = start();
	pthread_t id[8];

	for (int i = 0; i < 8; i++)
		id[i] = thread(run_often, rt);
	for (int i = 0; i < 8; i++)
		join_thread(id[i]);
	stop(rt);
}

Test(start, many_runtimes_live_beside_each_other)
{
	filch *rt[16];
	long n = 0;

	for (size_t i = 0; i < LENGTH(rt); i++)
		rt[i] = start_workers(1 + (unsigned)i % 3);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < LENGTH(rt); i++)
			CHECK_EQ(filch_submit(rt[i], count, &n), 0);
	}
	for (size_t i = 0; i < LENGTH(rt); i++)
		stop(rt[i]);
	CHECK_EQ(n, 50 * (long)LENGTH(rt));
}

/* ---- max_pending ---- */

static void wait_for_leave(void *leave)
{
	until(leave, 1);
}

Test(start, max_pending_is_exact_and_frees_up)
{
	filch *rt = start_with((struct filch_options){ .workers = workers(), .max_pending = 10 });
	filch_group g, late;
	struct filch_stats s;
	long n = 0;

	filch_group_init(&late, rt);
	for (int round = 0; round < 20; round++) {
		long leave = 0;

		filch_group_init(&g, rt);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(filch_group_submit(&g, wait_for_leave, &leave), 0);
		CHECK_EQ(filch_submit(rt, count, &n), -EAGAIN);
		CHECK_EQ(filch_run(rt, count, &n), -EAGAIN);
		CHECK_EQ(filch_group_submit(&late, count, &n), -EAGAIN);
		CHECK_EQ(filch_group_wait(&late), 0);
		CHECK_EQ(filch_stats(rt, -1, &s), 0);
		CHECK_EQ(s.pending, 10);
		set(&leave, 1);
		CHECK_EQ(filch_group_wait(&g), 0);
	}
	CHECK_EQ(n, 0);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(filch_run(rt, count, &n), 0);
	CHECK_EQ(n, 100);
	stop(rt);
}

static void nested_is_never_refused(void *n)
{
	CHECK_EQ(filch_submit(filch_here(), count, n), -EAGAIN);
	CHECK_EQ(filch_run(filch_here(), count, n), 0);
}

Test(start, a_nested_run_does_not_count_as_pending)
{
	filch *rt = start_with((struct filch_options){ .workers = workers(), .max_pending = 1 });
	long n = 0;

	CHECK_EQ(filch_run(rt, nested_is_never_refused, &n), 0);
	CHECK_EQ(n, 1);
	stop(rt);
}

/* ---- stats ---- */

static void wait_and_submit(void *n)
{
	sleep_ms(1);
	CHECK_EQ(filch_submit(filch_here(), count, n), 0);
}

Test(start, the_counters_add_up)
{
	filch *rt = start();
	struct filch_stats total, one;
	uint64_t tasks = 0, waits = 0;
	long n = 0;

	for (int i = 0; i < 100; i++)
		CHECK_EQ(filch_run(rt, wait_and_submit, &n), 0);
	until(&n, 100);
	do
		CHECK_EQ(filch_stats(rt, -1, &total), 0);
	while (total.pending);
	CHECK_EQ(total.tasks, 200);
	CHECK(total.waits >= 100 && total.waits < 400);
	CHECK(total.stacks >= workers() && total.stacks < 64 * workers());
	CHECK(total.parks > 0);
	for (int i = 0; i < (int)workers(); i++) {
		CHECK_EQ(filch_stats(rt, i, &one), 0);
		tasks += one.tasks;
		waits += one.waits;
		CHECK(!one.pending && !one.stacks);
	}
	CHECK_EQ(tasks, total.tasks);
	CHECK_EQ(waits, total.waits);
	stop(rt);
}

/* ---- the worker threads ---- */

static void look_at_thread(void *unused)
{
	const int kept[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL }, blocked[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGPIPE, SIGCHLD };
	char name[16], expected[16];
	sigset_t mask;

	(void)unused;
	CHECK_EQ(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
	snprintf(expected, sizeof(expected), "filch/%d", filch_worker());
	CHECK(!strcmp(name, expected));
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	for (size_t i = 0; i < LENGTH(kept); i++)
		CHECK(!sigismember(&mask, kept[i]));
	for (size_t i = 0; i < LENGTH(blocked); i++)
		CHECK(sigismember(&mask, blocked[i]));
}

Test(start, workers_have_names_and_leave_signals_to_others)
{
	filch *rt = start();
	sigset_t before, after;

	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(filch_run(rt, look_at_thread, NULL), 0);
	stop(rt);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
	CHECK_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

Test(start, there_are_as_many_threads_as_workers_and_none_after_a_stop)
{
	filch *rt = start_workers(5);

	while (threads_named("filch/") < 5)
		usleep(1000);
	CHECK_EQ(threads_named("filch/"), 5);
	stop(rt);
	CHECK_EQ(threads_named("filch/"), 0);
}

/* ---- signals that hit the workers all the same ---- */

static void storm_handler(int signal)
{
	(void)signal;
}

static pthread_t worker_thread[8];

static void unblock(void *ready)
{
	sigset_t storm;

	sigemptyset(&storm);
	sigaddset(&storm, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &storm, NULL);
	worker_thread[filch_worker()] = pthread_self();
	add(ready, 1);
	while (get(ready) < filch_workers(filch_here()))
		usleep(100); /* in its worker, so that each gets one */
}

Test(start, spurious_wake_ups_do_no_harm)
{
	struct sigaction action = { .sa_handler = storm_handler };
	filch *rt = start_workers(3);
	struct filch_stats s;
	long ready = 0, n = 0;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_submit(rt, unblock, &ready), 0);
	until(&ready, 3);
	for (long i = 0; i < rounds(100000); i++) {
		for (int w = 0; w < 3; w++)
			pthread_kill(worker_thread[w], SIGUSR1);
		if (i % 16 == 0)
			CHECK_EQ(filch_submit(rt, count, &n), 0);
		usleep(20);
	}
	CHECK_EQ(filch_run(rt, count, &n), 0);
	do
		CHECK_EQ(filch_stats(rt, -1, &s), 0);
	while (s.pending);
	CHECK_EQ(n, 1 + (rounds(100000) + 15) / 16);
	stop(rt);
}
