/* SPDX-License-Identifier: MIT */
/* More workers than CPUs: who sleeps is not woken for short forks, and yet none waits for long. */
#include "../raids.h"

TestSuite(crowd, .timeout = WATCHDOG);

static filch *start_more_than_cpus(long more)
{
	return start_workers((unsigned)(sysconf(_SC_NPROCESSORS_ONLN) + more));
}

FILCH_VOID_TASK(count_one, frame, long *, n)
{
	add(n, 1);
}

/* After these a fork is not worth a worker more than there are CPUs. */
FILCH_VOID_TASK(short_forks, frame, long *, n)
{
	for (int i = 0; i < 1000; i++) {
		for (int j = 0; j < 100; j++)
			count_one_fork(&frame, n);
		for (int j = 0; j < 100; j++)
			count_one_join(&frame);
	}
}

/* ---- forks that wait in system calls ---- */

struct meeting {
	long forks, begun;
};

/* Waits in system calls until all the others have begun: so each is run by another worker. */
FILCH_VOID_TASK(meet, frame, struct meeting *, m)
{
	add(&m->begun, 1);
	while (get(&m->begun) < m->forks)
		usleep(500);
}

FILCH_VOID_TASK(meet_all, frame, struct meeting *, m)
{
	for (long i = 0; i < m->forks; i++)
		meet_fork(&frame, m);
	for (long i = 0; i < m->forks; i++)
		meet_join(&frame);
}

Test(crowd, forks_that_block_get_all_workers)
{
	filch *rt = there_are_raids() ? start_more_than_cpus(14) : NULL;
	long workers = filch_workers(rt), n = 0;

	for (int i = 0; rt && i < 3; i++) {
		struct meeting m = { .forks = workers };

		short_forks_run(rt, &n);
		meet_all_run(rt, &m);
		CHECK_EQ(m.begun, workers);
	}
	CHECK_EQ(n, rt ? 300000 : 0);
	if (rt)
		stop(rt);
}

/* ---- forks behind a computation, where there are no CPUs for the workers that sleep ---- */

struct behind {
	filch_sem ready;
	long runs, counted;
};

FILCH_VOID_TASK(fork_until, frame, struct behind *, b)
{
	while (!get(&b->runs)) {
		count_one_fork(&frame, &b->counted);
		count_one_join(&frame);
	}
}

FILCH_VOID_TASK(run_and_post, frame, struct behind *, b)
{
	set(&b->runs, 1);
	filch_sem_post(&b->ready);
}

/* Its worker takes the younger fork, which goes on until the older one has run. */
FILCH_VOID_TASK(wait_for_the_older, frame, struct behind *, b)
{
	run_and_post_fork(&frame, b);
	fork_until_fork(&frame, b);
	CHECK_EQ(filch_sem_wait(&b->ready, FILCH_NEVER), 0);
	fork_until_join(&frame);
	run_and_post_join(&frame);
}

static void keep_a_cpu(void *behind)
{
	fork_until_run(filch_here(), behind);
}

static void be_behind(void *behind)
{
	wait_for_the_older_run(filch_here(), behind);
}

Test(crowd, a_fork_behind_a_computation_is_begun_though_others_sleep)
{
	filch *rt = start_more_than_cpus(2);
	long n = 0;

	for (int i = 0; i < 30; i++) {
		struct behind b = { .runs = 0 };
		filch_group g;

		filch_sem_init(&b.ready, 0);
		short_forks_run(rt, &n);
		filch_group_init(&g, rt);
		for (unsigned j = 3; j < filch_workers(rt); j++)
			CHECK_EQ(filch_group_submit(&g, keep_a_cpu, &b), 0);
		CHECK_EQ(filch_group_submit(&g, be_behind, &b), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
	}
	CHECK_EQ(n, 3000000);
	stop(rt);
}
