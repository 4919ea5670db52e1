/* SPDX-License-Identifier: MIT */
#include "problems.h"
#include "rivals/thread.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

struct pair {
	long size;
	sem_t ping, pong;
	/* a channel: a ring under a mutex */
	pthread_mutex_t mutex;
	pthread_cond_t room, filled;
	uint64_t ring[CHAN_CAPACITY], sent, received;
};

typedef void *thread_fn(void *pair);

/* Run both at once: the sum of what they return. */
static uint64_t both(thread_fn *one, thread_fn *other, struct pair *pair)
{
	pthread_t thread;
	void *count;
	uintptr_t mine;
	int error = pthread_create(&thread, NULL, one, pair);

	if (error)
		bench_fail("cannot create a thread", error);
	mine = (uintptr_t)other(pair);
	pthread_join(thread, &count);
	return mine + (uintptr_t)count;
}

/* ---- switch --------------------------------------------------------------------------------- */

static __attribute__((noinline)) uintptr_t yield_times(long n) /* one loop for both, as filch's */
{
	uintptr_t yields = 0;

	while ((long)yields < n)
		yields += sched_yield() == 0;
	return yields;
}

static void *yield_half(void *pair)
{
	return (void *)yield_times(((struct pair *)pair)->size / 2);
}

static void *yield_rest(void *pair)
{
	long n = ((struct pair *)pair)->size;

	return (void *)yield_times(n - n / 2);
}

/* On one CPU, where to yield is to switch. */
uint64_t thread_switch(struct bench_run *run)
{
	struct pair pair = { .size = run->size };
	cpu_set_t before, one;
	uint64_t yields;

	sched_getaffinity(0, sizeof before, &before);
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof one, &one); /* the new thread inherits it */
	yields = both(yield_half, yield_rest, &pair);
	sched_setaffinity(0, sizeof before, &before);
	return yields;
}

/* ---- pingpong ------------------------------------------------------------------------------- */

static void *ping(void *arg)
{
	struct pair *pair = arg;
	uintptr_t rounds = 0;

	while ((long)rounds < pair->size) {
		sem_post(&pair->ping);
		while (sem_wait(&pair->pong))
			;
		rounds++;
	}
	return (void *)rounds;
}

static void *pong(void *arg)
{
	struct pair *pair = arg;

	for (long i = 0; i < pair->size; i++) {
		while (sem_wait(&pair->ping))
			;
		sem_post(&pair->pong);
	}
	return NULL;
}

uint64_t thread_pingpong(struct bench_run *run)
{
	struct pair pair = { .size = run->size };

	sem_init(&pair.ping, 0, 0);
	sem_init(&pair.pong, 0, 0);
	return both(ping, pong, &pair);
}

/* ---- chan ----------------------------------------------------------------------------------- */

static void *sender(void *arg)
{
	struct pair *pair = arg;

	for (long i = 0; i < pair->size; i++) {
		pthread_mutex_lock(&pair->mutex);
		while (pair->sent - pair->received == CHAN_CAPACITY)
			pthread_cond_wait(&pair->room, &pair->mutex);
		pair->ring[pair->sent++ % CHAN_CAPACITY] = (uint64_t)i;
		pthread_mutex_unlock(&pair->mutex);
		pthread_cond_signal(&pair->filled);
	}
	return NULL;
}

static void *receiver(void *arg)
{
	struct pair *pair = arg;
	uintptr_t sum = 0;

	for (long i = 0; i < pair->size; i++) {
		pthread_mutex_lock(&pair->mutex);
		while (pair->sent == pair->received)
			pthread_cond_wait(&pair->filled, &pair->mutex);
		sum += pair->ring[pair->received++ % CHAN_CAPACITY];
		pthread_mutex_unlock(&pair->mutex);
		pthread_cond_signal(&pair->room);
	}
	return (void *)sum;
}

uint64_t thread_chan(struct bench_run *run)
{
	struct pair pair = { .size = run->size,
		             .mutex = PTHREAD_MUTEX_INITIALIZER,
		             .room = PTHREAD_COND_INITIALIZER,
		             .filled = PTHREAD_COND_INITIALIZER };

	return both(sender, receiver, &pair);
}
