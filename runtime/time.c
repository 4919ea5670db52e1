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

/* Who sleeps again and again lets others run, also where there is no sleep. */
int filch_sleep_until(int64_t deadline)
{
	struct waiter thread, *w = wait_begin(&thread, FOR_TIME, deadline);
	int result = w->refusal == -ETIMEDOUT ? w->refusal : wait_for(NULL, w, deadline);

	if (w->refusal) {
		if (result == -ECANCELED && deadline <= filch_now())
			result = 0;
		filch_yield();
	}
	return result == -ETIMEDOUT ? 0 : result;
}

static void queue_again(struct worker *w, void *stack)
{
	ready_here(w, &((struct stack *)stack)->item);
}

void make_room(struct worker *w)
{
	struct stack *s = w->current;

	let_go(w);
	begin_turn(w);
	/* Relaxed, both: who has taken the stack sees them in order; for others a hint (is_needed()). */
	store_relaxed(&s->gave_way, 1u);
	leave_stack(w, queue_again, s);
	store_relaxed(&s->gave_way, 0u);
}

/* Is there anything for this worker to do but the calling task? */
static bool others_here(struct worker *w)
{
	return deque_size(&w->ready) || deque_size(&w->forks) || w->turn;
}

void filch_yield(void)
{
	struct worker *w = worker_here();

	if (!w) {
		sched_yield();
		return;
	}
	let_go(w);
	publish_forks(w, w->current); /* without memory not all of them: more at the next one */
	if (!others_here(w)) {
		count_up(&w->tick); /* relaxed inside: the watcher only compares */
		gather(w);
		if (!others_here(w))
			return;
	}
	leave_stack(w, queue_again, w->current);
}
