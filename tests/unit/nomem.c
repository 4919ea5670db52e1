/* SPDX-License-Identifier: MIT */
/* What allocates may fail: each call in turn, and all of them from some point on. */
#include "../idle.h"
#include "../no_memory.h"

#include <poll.h>

TestSuite(nomem, .timeout = WATCHDOG);

/* ---- starting ---- */

static void count(void *n)
{
	add(n, 1);
}

static long open_descriptors(void)
{
	long n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return n;
}

/* How many calls a start makes, by failing a later one each time until none fails. */
static long fail_every_call_of_a_start(unsigned n, bool on)
{
	long before = open_descriptors();

	for (long which = 0;; which++) {
		struct filch_options o = { .workers = n };
		long made, ran = 0;
		filch *rt;

		errno = 0;
		fail_from(which, on);
		rt = filch_start(&o);
		made = get(&calls);
		fail_no_more();
		CHECK(rt || errno == ENOMEM || errno == EMFILE || errno == EAGAIN);
		if (rt) { /* what failed could be done without, or was done by a worker that tries again */
			CHECK_EQ(filch_run(rt, count, &ran), 0);
			CHECK_EQ(ran, 1);
			stop(rt);
		}
		CHECK_EQ(open_descriptors(), before);
		if (made <= which)
			return which;
	}
}

Test(nomem, a_start_without_memory_is_an_error_and_leaves_nothing_behind)
{
	for (unsigned n = 1; n <= 3; n++) {
		CHECK(fail_every_call_of_a_start(n, false) > 3 * (long)n);
		CHECK(fail_every_call_of_a_start(n, true) > 3 * (long)n);
	}
}

/* ---- what runs ---- */

static void wait_and_count(void *n)
{
	filch_yield();
	sleep_ms(1);
	add(n, 1);
}

#define PLACES 20

static long submit_some(filch *rt, filch_group *g, long *n)
{
	filch_fn *fns[] = { count, wait_and_count };
	long admitted = 0;

	for (int i = 0; i < PLACES; i++) {
		int error = i % 4 < 2 ? filch_group_submit(g, fns[i % 2], n) : filch_submit(rt, fns[i % 2], n);

		CHECK(!error || error == -ENOMEM);
		admitted += !error;
	}
	return admitted;
}

static void wait_for_post(void *sem)
{
	CHECK_EQ(filch_sem_wait(sem, FILCH_NEVER), 0);
}

/* What was refused has given its place back: there are as many as at the beginning. */
static void take_every_place(filch *rt)
{
	static filch_sem sem; /* used until the stop */

	filch_sem_init(&sem, 0);
	for (int i = 0; i < PLACES; i++) {
		int error;

		while ((error = filch_submit(rt, wait_for_post, &sem)) == -EAGAIN)
			sched_yield(); /* those before are about to give theirs */
		CHECK_EQ(error, 0);
	}
	CHECK_EQ(filch_submit(rt, wait_for_post, &sem), -EAGAIN);
	for (int i = 0; i < PLACES; i++)
		filch_sem_post(&sem);
}

Test(nomem, a_submit_without_memory_is_refused_and_the_others_run)
{
	for (long which = 0; which < 60; which++) {
		filch *rt = start_with((struct filch_options){ .workers = workers(), .max_pending = PLACES });
		filch_group g;
		long n = 0, admitted;

		filch_group_init(&g, rt);
		fail_from(which, false);
		admitted = submit_some(rt, &g, &n);
		CHECK(admitted >= PLACES - 1);
		CHECK_EQ(filch_group_wait(&g), 0);
		fail_no_more();
		take_every_place(rt);
		stop(rt);
		CHECK_EQ(n, admitted);
	}
}

FILCH_TASK(long, fib, frame, long, n)
{
	if (n < 2) {
		if (n)
			filch_yield();
		return n;
	}
	fib_fork(&frame, n - 1);
	long right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

Test(nomem, forks_and_joins_come_to_the_same_result)
{
	for (long which = 0; which < 40; which++) {
		filch *rt = start();

		fail_from(which, false);
		CHECK_EQ(fib_run(rt, 12), 144);
		fail_no_more();
		stop(rt);
	}
}

FILCH_TASK(long, plain_fib, frame, long, n)
{
	if (n < 2)
		return n;
	plain_fib_fork(&frame, n - 1);
	long right = plain_fib(frame, n - 2);
	return plain_fib_join(&frame) + right;
}

Test(nomem, without_any_memory_a_run_is_serial)
{
	fail_from(0, true);
	CHECK_EQ(plain_fib_run(NULL, 15), 610);
	fail_no_more();
}

FILCH_VOID_TASK(take_memory_away, frame)
{
	fail_from(0, true);
}

static void *give_memory_back(void *unused)
{
	usleep(50000);
	fail_no_more();
	return unused;
}

Test(nomem, nothing_is_lost_while_there_is_no_memory)
{
	filch *rt = start();
	pthread_t later = thread(give_memory_back, NULL);
	long n = 0;

	take_memory_away_run(rt);
	while (filch_submit(rt, count, &n))
		usleep(1000);
	CHECK_EQ(filch_run(rt, wait_and_count, &n), 0);
	join_thread(later);
	stop(rt);
	CHECK_EQ(n, 2);
}

/* ---- more at once than a queue holds, and no memory for it to grow ---- */

#define MANY 3000

struct crowd {
	filch_sem sem;
	long come, gone, go;
};

static void wait_in_crowd(void *crowd)
{
	struct crowd *c = crowd;

	add(&c->come, 1);
	CHECK_EQ(filch_sem_wait(&c->sem, FILCH_NEVER), 0);
	add(&c->gone, 1);
}

static void hold_the_worker(void *crowd)
{
	struct crowd *c = crowd;

	add(&c->come, 1);
	while (!get(&c->go))
		;
}

Test(nomem, a_crowd_that_wakes_at_once_goes_on_without_memory)
{
	struct crowd c = { .sem = FILCH_SEM_INIT(0) };
	filch *rt = start_workers(1);

	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(filch_submit(rt, wait_in_crowd, &c), 0);
		until(&c.come, i + 1); /* one by one, so that no queue has grown */
	}
	CHECK_EQ(filch_submit(rt, hold_the_worker, &c), 0);
	until(&c.come, MANY + 1);
	fail_from(0, true);
	for (int i = 0; i < MANY; i++)
		filch_sem_post(&c.sem);
	set(&c.go, 1);
	until(&c.gone, MANY);
	fail_no_more();
	stop(rt);
}

Test(nomem, a_worker_that_could_begin_nothing_is_idle)
{
	struct crowd c = { .sem = FILCH_SEM_INIT(0) };
	filch *rt = start_workers(1);
	int64_t before;
	long n = 0;

	for (; n < 500; n++) { /* so many that a block of tasks' memory comes back now and then */
		if (n == 300)
			fail_from(0, true);
		if (filch_submit(rt, wait_in_crowd, &c))
			break;
		usleep(100);
	}
	do { /* until no more begin */
		before = get(&c.come);
		usleep(100000);
	} while (before != get(&c.come));
	before = processor_time();
	usleep(400000);
	CHECK(processor_time() - before < 200 * MS); /* it takes some 5 to look for memory now and then */
	CHECK(get(&c.come) < n); /* the others find no stack */
	for (long i = 0; i < n; i++)
		filch_sem_post(&c.sem);
	fail_no_more();
	stop(rt);
	CHECK_EQ(c.gone, n);
}

FILCH_VOID_TASK(one_of_many, f, long *, n)
{
	add(n, 1);
}

/* The last of them submits what is waited for, in a group or by yielding. */
FILCH_VOID_TASK(submit_one, f, filch_group *, g, long *, n)
{
	CHECK_EQ(filch_group_submit(g, count, n), 0);
}

FILCH_VOID_TASK(wait_for_many, f, filch *, rt, long *, n, bool, yields)
{
	filch_group g;

	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, count, n), 0);
	filch_yield(); /* so that the worker has a stack and slots in hand */
	for (int i = 0; i < MANY; i++)
		one_of_many_fork(&f, n);
	submit_one_fork(&f, &g, n);
	fail_from(0, true);
	while (yields && get(n) < MANY + 2)
		filch_yield();
	CHECK_EQ(filch_group_wait(&g), 0);
	submit_one_join(&f);
	for (int i = 0; i < MANY; i++)
		one_of_many_join(&f);
	fail_no_more();
	CHECK_EQ(filch_group_wait(&g), 0);
}

Test(nomem, more_forks_than_a_queue_holds_are_waited_for_without_memory)
{
	filch *rt = start_workers(1);

	for (int yields = 0; yields < 2; yields++) {
		long n = 0;

		wait_for_many_run(rt, rt, &n, yields);
		CHECK_EQ(n, MANY + 2);
	}
	stop(rt);
}

Test(nomem, a_runtime_with_nothing_to_do_stops_without_memory)
{
	filch *rt = start();

	take_memory_away_run(rt);
	stop(rt);
	fail_no_more();
}

/* Its slots are still with the stack that they were lent to, and a task without forks needs none. */
Test(nomem, a_worker_that_has_run_forks_runs_tasks_without_memory)
{
	filch *rt = start_workers(1);
	long n = 0;

	take_memory_away_run(rt);
	CHECK_EQ(filch_run(rt, count, &n), 0);
	CHECK_EQ(n, 1);
	fail_no_more();
	stop(rt);
}

Test(nomem, a_channel_without_memory_is_null)
{
	filch_chan *ch;

	errno = 4321;
	fail_from(0, true);
	ch = filch_chan_new(8, 8);
	fail_no_more();
#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
	CHECK(!ch);
	CHECK_EQ(errno, 4321);
#endif
	filch_chan_free(ch);
}

/* ---- what waits without a stack, and what blocks ---- */

static void run_event(int result, void *n)
{
	CHECK_EQ(result, -ECANCELED);
	add(n, 1);
}

struct events {
	int fd;
	long accepted, ran;
};

static void submit_events(void *events)
{
	struct events *e = events;

	for (int i = 0; i < 100; i++) {
		int error = filch_submit_when(filch_here(), e->fd, POLLIN, FILCH_NEVER, run_event, &e->ran);

		CHECK(!error || error == -ENOMEM);
		e->accepted += !error;
	}
}

Test(nomem, a_submit_when_without_memory_is_refused_and_the_others_run)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	for (long which = 0; which < 20; which++) {
		filch *rt = start();
		struct events e = { .fd = fd };

		fail_from(which, false);
		CHECK_EQ(filch_run(rt, submit_events, &e), 0);
		fail_no_more();
		stop(rt);
		CHECK(e.accepted >= 99);
		CHECK_EQ(e.ran, e.accepted);
	}
	CHECK_EQ(filch_close(fd), 0);
}

static void block_without_threads(void *n)
{
	fail_from(0, true);
	CHECK_EQ(filch_block(count, n), -EAGAIN);
	fail_no_more();
	CHECK_EQ(get(n), 0);
	CHECK_EQ(filch_block(count, n), 0);
	fail_from(0, true);
	CHECK_EQ(filch_block(count, n), 0); /* there is one by now */
	fail_no_more();
	CHECK_EQ(get(n), 2);
}

/* Each counts on the other's thread, and neither comes. */
static long blocked;

static void block_at_once(void *n)
{
	if (add(&blocked, 1) == 2) {
		fail_from(0, true);
		add(&blocked, 1);
	}
	while (get(&blocked) < 3)
		;
	CHECK_EQ(filch_block(count, n), -EAGAIN);
	if (add(&blocked, 1) == 5)
		fail_no_more();
}

Test(nomem, blocks_without_a_thread_are_all_refused)
{
	filch *rt = start_workers(2);
	long n = 0;

	for (long i = rounds(20000); i > 0; i--) {
		filch_group g;

		filch_group_init(&g, rt);
		set(&blocked, 0);
		CHECK_EQ(filch_group_submit(&g, block_at_once, &n), 0);
		CHECK_EQ(filch_group_submit(&g, block_at_once, &n), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
	}
	CHECK_EQ(get(&n), 0);
	stop(rt);
}

Test(nomem, a_block_without_a_thread_is_refused)
{
	filch *rt = start();
	long n = 0;

	CHECK_EQ(filch_run(rt, block_without_threads, &n), 0);
	stop(rt);
}
