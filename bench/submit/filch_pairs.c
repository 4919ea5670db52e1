/* SPDX-License-Identifier: MIT */
/*
 * Two tasks that switch, talk and wake each other.
 */
#include "problems.h"
#include "submit/filch.h"

#include <errno.h>

struct pair {
	long size;
	uint64_t result[2];
	filch_sem ping, pong;
	filch_chan *chan;
};

static void check(const char *what, int error)
{
	if (error)
		bench_fail(what, -error);
}

/* Run both at once, and add up what they leave. */
static uint64_t both(filch_fn *one, filch_fn *other, struct pair *pair)
{
	filch_group group;

	filch_group_init(&group, rt);
	check("filch_group_submit", filch_group_submit(&group, one, pair));
	check("filch_group_submit", filch_group_submit(&group, other, pair));
	check("filch_group_wait", filch_group_wait(&group));
	return pair->result[0] + pair->result[1];
}

/* ---- switch --------------------------------------------------------------------------------- */

/*
 * One loop for both, so that a switch is measured, and not a return that the processor predicts to
 * the place in the other task: half as much again.
 */
static __attribute__((noinline)) uint64_t yield_times(long n)
{
	uint64_t yields = 0;

	for (; (long)yields < n; yields++)
		filch_yield();
	return yields;
}

static void yield_half(void *arg)
{
	struct pair *pair = arg;

	pair->result[0] = yield_times(pair->size / 2);
}

static void yield_rest(void *arg)
{
	struct pair *pair = arg;

	pair->result[1] = yield_times(pair->size - pair->size / 2);
}

/* With one worker a yield is a switch; with more, each task may have a worker to itself. */
uint64_t filch_switch_bench(struct bench_run *run)
{
	struct pair pair = { .size = run->size };

	return both(yield_half, yield_rest, &pair);
}

/* ---- pingpong ------------------------------------------------------------------------------- */

static void ping(void *arg)
{
	struct pair *pair = arg;

	for (long i = 0; i < pair->size; i++) {
		filch_sem_post(&pair->ping);
		check("filch_sem_wait", filch_sem_wait(&pair->pong, FILCH_NEVER));
		pair->result[0]++;
	}
}

static void pong(void *arg)
{
	struct pair *pair = arg;

	for (long i = 0; i < pair->size; i++) {
		check("filch_sem_wait", filch_sem_wait(&pair->ping, FILCH_NEVER));
		filch_sem_post(&pair->pong);
	}
}

uint64_t filch_pingpong_bench(struct bench_run *run)
{
	struct pair pair = { .size = run->size,
		             .ping = FILCH_SEM_INIT(0),
		             .pong = FILCH_SEM_INIT(0) };

	return both(ping, pong, &pair);
}

/* ---- chan ----------------------------------------------------------------------------------- */

static void sender(void *arg)
{
	struct pair *pair = arg;

	for (uint64_t i = 0; i < (uint64_t)pair->size; i++)
		check("filch_chan_send", filch_chan_send(pair->chan, &i, FILCH_NEVER));
}

static void receiver(void *arg)
{
	struct pair *pair = arg;

	for (long i = 0; i < pair->size; i++) {
		uint64_t item = 0;

		check("filch_chan_recv", filch_chan_recv(pair->chan, &item, FILCH_NEVER));
		pair->result[0] += item;
	}
}

uint64_t filch_chan_bench(struct bench_run *run)
{
	struct pair pair = { .size = run->size,
		             .chan = filch_chan_new(sizeof(uint64_t), CHAN_CAPACITY) };
	uint64_t sum;

	if (!pair.chan)
		bench_fail("filch_chan_new", ENOMEM);
	sum = both(sender, receiver, &pair);
	filch_chan_free(pair.chan);
	return sum;
}
