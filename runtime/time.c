/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "worker.h"

int64_t filch_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

int64_t filch_after(int64_t ns)
{
	int64_t when;

	return __builtin_add_overflow(filch_now(), ns, &when) ? FILCH_NEVER : when;
}

int filch_sleep_until(int64_t deadline)
{
	struct waiter thread, *w = wait_begin(&thread, deadline);
	int result = wait_for(NULL, w, deadline);

	return result == -ETIMEDOUT ? 0 : result;
}

static void queue_again(struct worker *w, void *stack)
{
	gather(w); /* behind what is ready by now */
	ready_here(w, &((struct stack *)stack)->item);
}

static void queue_for_others(struct worker *w, void *stack)
{
	w->fair = true;
	queue_again(w, stack);
}

void make_room(struct worker *w)
{
	leave_stack(w, queue_for_others, w->current);
}

void filch_yield(void)
{
	struct worker *w = worker_here();

	if (!w)
		sched_yield();
	/* No memory: they stay out of reach, so go on with them. */
	else if (!publish_forks(w, w->current))
		leave_stack(w, queue_again, w->current);
}
