/* SPDX-License-Identifier: MIT */
/* What waits behind a worker that computes or is stuck goes on all the same. */
#include "../support.h"
#include "worker.h"

TestSuite(watch, .timeout = WATCHDOG);

static long go_on;

/* A computation of forks and joins without end, until it is told. */
FILCH_VOID_TASK(churn, frame, int, depth)
{
	if (!depth)
		return;
	churn_fork(&frame, depth - 1);
	churn(frame, depth - 1);
	churn_join(&frame);
}

static void compute(void *rt)
{
	while (get(&go_on))
		churn_run(rt, 12);
}

/* Busy without a fork or a join: nothing can preempt it. */
static void spin(void *arg)
{
	(void)arg;
	while (get(&go_on))
		;
}

static void count(void *n)
{
	add(n, 1);
}

static void nap_and_count(void *n)
{
	sleep_ms(5);
	add(n, 1);
}

static void receive_and_count(void *arg)
{
	int *pipe = arg;
	char c;

	CHECK_EQ(filch_read(pipe[0], &c, 1, FILCH_NEVER), 1);
	add(&go_on, 1);
}

static void fill(filch *rt, filch_group *g, filch_fn *fn, unsigned n)
{
	set(&go_on, 1);
	filch_group_init(g, rt);
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(filch_group_submit(g, fn, rt), 0);
	sleep_ms(20);
}

/* So often, one after the other, with every worker in a computation. */
static void ends_beside_computations(filch_fn *fn, int times)
{
	filch *rt = start();
	filch_group g;
	long n = 0;

	fill(rt, &g, compute, workers());
	for (int i = 0; i < times; i++) {
		CHECK_EQ(filch_submit(rt, fn, &n), 0);
		until(&n, i + 1);
	}
	set(&go_on, 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

Test(watch, a_task_starts_while_every_worker_computes)
{
	ends_beside_computations(count, 5);
}

Test(watch, a_deadline_passes_while_every_worker_computes)
{
	ends_beside_computations(nap_and_count, 1);
}

/* Computations that count how often another one of them had its turn. */
static long turn, turns;

FILCH_VOID_TASK(churn_in_turn, frame, long, number)
{
	if (get(&turn) != number) {
		set(&turn, number);
		add(&turns, 1);
	}
	churn_fork(&frame, 5);
	churn(frame, 5);
	churn_join(&frame);
}

static void compute_in_turn(void *rt)
{
	static long numbers;
	long number = add(&numbers, 1);

	while (get(&go_on))
		churn_in_turn_run(rt, number);
}

static void note_turns(void *n)
{
	set(n, get(&turns));
}

Test(watch, a_task_starts_before_computations_that_have_made_room)
{
	filch *rt = start_workers(1);
	filch_group g;
	long least = 100;

	fill(rt, &g, compute_in_turn, 8);
	until(&turns, 20); /* each has had its turn, and more than one */
	for (int i = 0; i < 5; i++) {
		long before = get(&turns), after = 0;

		CHECK_EQ(filch_submit(rt, note_turns, &after), 0);
		until(&after, 1);
		least = after - before < least ? after - before : least;
	}
	CHECK(least <= 2); /* this thread may have stood still, but not each time */
	set(&go_on, 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

/* A computation with forks that the others have no time for: it goes on before them when it has made room. */
static long forks_begun;

#define SHORTS 20

FILCH_VOID_TASK(churn_until_told, frame, int, unused)
{
	(void)unused;
	add(&forks_begun, 1);
	while (get(&go_on)) {
		churn_fork(&frame, 5);
		churn(frame, 5);
		churn_join(&frame);
	}
}

FILCH_VOID_TASK(fork_and_churn, frame, long *, shorts)
{
	for (int i = 0; i < 40; i++)
		churn_until_told_fork(&frame, 0);
	while (!get(&forks_begun))
		filch_yield(); /* publishes them, and the youngest begins */
	while (get(shorts) < SHORTS) {
		churn_fork(&frame, 5);
		churn(frame, 5);
		churn_join(&frame);
	}
	/* Not one more each time. */
	CHECK(get(&forks_begun) <= SHORTS / 4);
	set(&go_on, 0);
	for (int i = 0; i < 40; i++)
		churn_until_told_join(&frame);
}

static filch *of_forks;

static void run_forks(void *shorts)
{
	fork_and_churn_run(of_forks, shorts);
}

static void *submit_count(void *shorts)
{
	CHECK_EQ(filch_submit(of_forks, count, shorts), 0);
	return NULL;
}

Test(watch, a_computation_that_has_made_room_goes_on_before_its_forks)
{
	filch *rt = of_forks = start_workers(1);
	filch_group g;
	long n = 0;

	set(&go_on, 1);
	filch_group_init(&g, rt);
	CHECK_EQ(filch_group_submit(&g, run_forks, &n), 0);
	until(&forks_begun, 1);
	for (int i = 0; i < SHORTS; i++) {
		CHECK_EQ(filch_submit(rt, count, &n), 0);
		until(&n, i + 1);
	}
	CHECK_EQ(filch_group_wait(&g), 0);
	CHECK_EQ(forks_begun, 40);
	stop(rt);
}

/* What is left with a worker that is stuck goes on elsewhere, though nobody has nothing to do. */
Test(watch, a_task_starts_behind_a_stuck_worker_while_the_others_compute)
{
	filch *rt = of_forks = start_workers(2);
	filch_group stuck, busy;
	long n = 0;

	fill(rt, &stuck, spin, 1);
	fill(rt, &busy, compute, 1);
	for (int i = 0; i < 6; i++)
		join_thread(thread(submit_count, &n)); /* half of them leave it with the stuck one */
	until(&n, 6);
	set(&go_on, 0);
	CHECK_EQ(filch_group_wait(&stuck) | filch_group_wait(&busy), 0);
	stop(rt);
}

/* A fork that its task waits for is begun, though a computation never ends. */
FILCH_VOID_TASK(post, frame, filch_sem *, sem)
{
	filch_sem_post(sem);
}

FILCH_VOID_TASK(fork_and_sleep, frame, long *, n)
{
	filch_sem sem = FILCH_SEM_INIT(0);

	post_fork(&frame, &sem);
	sleep_ms(3);
	post_join(&frame);
	post_fork(&frame, &sem);
	CHECK_EQ(filch_sem_wait(&sem, FILCH_NEVER) | filch_sem_wait(&sem, FILCH_NEVER), 0);
	post_join(&frame);
	add(n, 1);
}

static void sleep_before_join(void *n)
{
	fork_and_sleep_run(filch_here(), n);
}

Test(watch, a_fork_that_is_waited_for_runs_while_every_worker_computes)
{
	ends_beside_computations(sleep_before_join, 3);
}

/* Tasks of some milliseconds, each of which submits the next: a worker that never stops, nor idles. */
static long links, link_ms = 2;

static void link_on(void *rt)
{
	int64_t end = filch_after(link_ms * MS);

	while (filch_now() < end)
		;
	add(&links, 1);
	if (get(&go_on))
		CHECK_EQ(filch_submit(rt, link_on, rt), 0);
}

static void nap_and_note_links(void *n)
{
	long before = get(&links);

	sleep_ms(5);
	set(n, get(&links) - before + 1);
}

Test(watch, a_deadline_passes_between_tasks_that_follow_each_other)
{
	filch *rt = start_workers(1);
	long n = 0;

	set(&go_on, 1);
	CHECK_EQ(filch_submit(rt, link_on, rt), 0);
	CHECK_EQ(filch_submit(rt, nap_and_note_links, &n), 0);
	until(&n, 1);
	CHECK(get(&n) < 30); /* and not when 61 have passed */
	set(&go_on, 0);
	stop(rt);
}

/* Turns end with the computations that they are for: or each task would pass over all the others. */
static long outside_turns;

static void note_turn(void *rt)
{
	add(&outside_turns, worker_here()->turn == NO_TURN);
	if (get(&go_on))
		CHECK_EQ(filch_submit(rt, note_turn, rt), 0);
}

static void compute_for_a_while(void *rt)
{
	int64_t end = filch_after(50 * MS);

	while (filch_now() < end)
		churn_run(rt, 12);
	set(&links, 1);
}

Test(watch, turns_end_with_the_computation)
{
	filch *rt = start_workers(1);

	set(&go_on, 1);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(filch_submit(rt, note_turn, rt), 0);
	CHECK_EQ(filch_submit(rt, compute_for_a_while, rt), 0);
	until(&links, 1);
	until(&outside_turns, get(&outside_turns) + 1000);
	set(&go_on, 0);
	stop(rt);
}

/* Computations on a worker that has to leave go on with those that stay. */
static long progress[2];

FILCH_VOID_TASK(churn_and_count, frame, long, i)
{
	churn_fork(&frame, 5);
	churn(frame, 5);
	churn_join(&frame);
	add(&progress[i], 1);
}

static void compute_and_count(void *rt)
{
	static long numbers;
	long i = add(&numbers, 1) % 2;

	while (get(&go_on))
		churn_and_count_run(rt, i);
}

Test(watch, a_computation_goes_on_between_tasks_that_follow_each_other)
{
	filch *rt = start_workers(1);
	filch_group g;

	link_ms = 6; /* each is as long as the watcher's tick */
	fill(rt, &g, compute_and_count, 2);
	CHECK_EQ(filch_submit(rt, link_on, rt), 0);
	for (int i = 0; i < 6; i++)
		until(&progress[i % 2], get(&progress[i % 2]) + 100);
	set(&go_on, 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

Test(watch, computations_of_a_worker_that_leaves_go_on)
{
	filch *rt = start_workers(2);
	filch_group g;

	fill(rt, &g, compute_and_count, 2);
	CHECK_EQ(filch_resize(rt, 1), 0);
	for (int i = 0; i < 2; i++)
		until(&progress[i], get(&progress[i]) + 100);
	set(&go_on, 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

/* So does what a fork does that was left there, though nobody comes to steal it. */
FILCH_VOID_TASK(fork_and_leave, frame, long *, n)
{
	filch_sem sem = FILCH_SEM_INIT(0);

	post_fork(&frame, &sem);
	CHECK_EQ(filch_resize(filch_here(), 1), 0);
	CHECK_EQ(filch_sem_wait(&sem, FILCH_NEVER), 0);
	post_join(&frame);
	add(n, 1);
}

static long parts;

static void take_part(void *n)
{
	add(&parts, 1);
	while (get(&parts) < 2)
		; /* the other worker has the other part */
	if (filch_worker() == 1)
		fork_and_leave_run(filch_here(), n);
	else
		link_on(filch_here());
}

Test(watch, a_fork_of_a_worker_that_leaves_is_begun)
{
	filch *rt = start_workers(2);
	long n = 0;

	set(&go_on, 1);
	CHECK_EQ(filch_submit(rt, take_part, &n), 0);
	CHECK_EQ(filch_submit(rt, take_part, &n), 0);
	until(&n, 1);
	set(&go_on, 0);
	stop(rt);
}

FILCH_VOID_TASK(set_to, frame, long *, n, long, value)
{
	set(n, value);
}

FILCH_VOID_TASK(spin_until, frame, long *, n, long, value)
{
	while (get(n) != value)
		;
}

FILCH_VOID_TASK(fork_and_spin, frame, long *, n)
{
	while (get(n) != 1)
		; /* so the other worker has the one that yields */
	set_to_fork(&frame, n, 2);
	spin_until_fork(&frame, n, 2);
	filch_yield(); /* to the younger of the two */
	spin_until_join(&frame);
	set_to_join(&frame);
}

static void begin_to_spin(void *n)
{
	fork_and_spin_run(filch_here(), n);
}

static void yield_until(void *n)
{
	set(n, 1);
	while (get(n) != 2)
		filch_yield();
}

Test(watch, a_fork_of_a_stuck_worker_is_begun_though_another_only_yields)
{
	filch *rt = start_workers(2);
	long n = 0;

	CHECK_EQ(filch_submit(rt, begin_to_spin, &n), 0);
	CHECK_EQ(filch_submit(rt, yield_until, &n), 0);
	until(&n, 2);
	stop(rt);
}

/* The worker that watches the pipe gets stuck; the bytes that come then are delivered all the same. */
Test(watch, input_arrives_behind_stuck_workers)
{
	filch *rt = start_workers(workers() + 1);
	filch_group g, readers;
	int pipes[16][2];

	filch_group_init(&readers, rt);
	for (int i = 0; i < 16; i++) {
		CHECK_EQ(pipe(pipes[i]), 0);
		CHECK_EQ(filch_group_submit(&readers, receive_and_count, pipes[i]), 0);
	}
	sleep_ms(20);
	fill(rt, &g, spin, workers());
	for (int i = 0; i < 16; i++)
		CHECK_EQ(write(pipes[i][1], "x", 1), 1);
	until(&go_on, 17);
	CHECK_EQ(filch_group_wait(&readers), 0);
	set(&go_on, 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	for (int i = 0; i < 16; i++) {
		filch_close(pipes[i][0]);
		filch_close(pipes[i][1]);
	}
	stop(rt);
}
