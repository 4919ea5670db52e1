/* SPDX-License-Identifier: MIT */
#include "submit/filch.h"
#include "submit/post.h"

static void post(void (*task)(void *arg), void *arg)
{
	int error = filch_submit(rt, task, arg);

	if (error)
		bench_fail("filch_submit", -error);
}

uint64_t filch_submit_bench(struct bench_run *run)
{
	return post_from_outside(run, post);
}

uint64_t filch_wake_bench(struct bench_run *run)
{
	return post_and_wake(run, post);
}

static void submit_many(void *arg)
{
	const struct bench_run *run = arg;
	filch_group group;
	int error = 0;

	filch_group_init(&group, rt);
	for (uintptr_t i = 0; i < (uintptr_t)run->size && !error; i++)
		error = filch_group_submit(&group, tally_task, (void *)i);
	if (error)
		bench_fail("filch_group_submit", -error);
	error = filch_group_wait(&group);
	if (error)
		bench_fail("filch_group_wait", -error);
}

uint64_t filch_flat_submit_bench(struct bench_run *run)
{
	int error = filch_run(rt, submit_many, run);

	if (error)
		bench_fail("filch_run", -error);
	return tally_wait((uint64_t)run->size); /* done already: this only adds up */
}
