/* SPDX-License-Identifier: MIT */
/*
 * Waiting in a list.
 *
 * A wait is announced (HELD), which cancel.c has the reason for; it can be ended only from WAITING
 * on, which is set on another stack, when its own has been left and its timer armed. A waiter is
 * enqueued under the lock of its list, and the lock is released only when its stack has been left
 * (after_wait), so whoever finds the waiter can resume it. Its end is decided by one CAS on its
 * state: by who takes it out of the list, or by its deadline. The loser does not touch it again. A
 * waiter whose deadline won takes itself out of the list under the lock before its wait returns, so
 * that when the last wait on an object has returned nobody refers to it.
 */
#include "wait.h"

#include <errno.h>

#include "barrier.h"
#include "futex.h"
#include "hand.h"
#include "task.h"
#include "when.h"
#include "worker.h"

void *self_here(void)
{
	static _Thread_local char thread __attribute__((tls_model("initial-exec")));
	struct stack *s = task_here();

	return s ? (void *)s : (void *)&thread;
}

/* ---- the list: circular, the head is the one that waits longest ---- */

void wait_enlist(void **list, struct waiter *w)
{
	struct waiter *head = *list;

	w->listed = true;
	if (!head) {
		w->next = w->prev = w;
		*list = w;
		return;
	}
	w->next = head;
	w->prev = head->prev;
	head->prev->next = w;
	head->prev = w;
}

static void dequeue(void **list, struct waiter *w)
{
	w->listed = false;
	if (w->next == w) {
		*list = NULL;
		return;
	}
	w->next->prev = w->prev;
	w->prev->next = w->next;
	if (*list == w)
		*list = w->next;
}

void wait_delist(void **list, struct waiter *w)
{
	if (w->listed)
		dequeue(list, w);
}

struct waiter *wait_take(void **list, int result)
{
	while (*list) {
		struct waiter *w = *list;

		dequeue(list, w);
		if (waiter_claim(w, result))
			return w;
	}
	return NULL;
}

struct waiter *wait_take_all(void **list, int result, struct waiter *chain)
{
	struct waiter *first = NULL, **last = &first, *w;

	while ((w = wait_take(list, result))) {
		*last = w;
		last = &w->next;
	}
	*last = chain;
	return first;
}

struct waiter *wait_choose(void **list, int (*choose)(const struct waiter *w, const void *arg),
                           const void *arg, struct waiter *chain)
{
	struct waiter *first = NULL, **end = &first, *w = *list, *last = w ? w->prev : NULL;

	while (w) {
		struct waiter *next = w == last ? NULL : w->next;
		int result = choose(w, arg);

		if (result != KEEP)
			dequeue(list, w);
		if (result != KEEP && waiter_claim(w, result)) {
			*end = w;
			end = &w->next;
		}
		w = next;
	}
	*end = chain;
	return first;
}

void waiters_wake(struct waiter *chain)
{
	while (chain) {
		struct waiter *next = chain->next; /* before it goes on */

		waiter_wake(chain);
		chain = next;
	}
}

/* ---- the end of a wait ---- */

/* Somebody looks at it, or it is on its way into its wait: a few instructions from done. */
static void stand_by(struct waiter *w)
{
	/* Acquire: as in waiter_claim(), which follows. */
	for (unsigned spins = 0; load_acquire(&w->state) == HELD; spins++) {
		if (spins < 64)
			spin_pause();
		else
			sched_yield();
	}
}

bool waiter_claim(struct waiter *w, int result)
{
	uint32_t state = WAITING;

	/*
	 * Acq_rel: the waiter's preparations before its waker uses them, the waker's result before
	 * it is read. Pairs with itself, and through waiter_wake() with the waiter.
	 */
	while (!cas_acq_rel(&w->state, &state, CLAIMED_WAITER)) {
		if (state != HELD)
			return false;
		stand_by(w);
		state = WAITING;
	}
	w->result = result;
	return true;
}

bool waiter_hold(struct waiter *w)
{
	/* seq_cst: after a cancel's mark. Pairs with wait_announce(). */
	uint32_t state = load_seq(&w->state);

	while (state == WAITING || state == HELD) {
		if (state == HELD)
			stand_by(w);
		state = WAITING;
		/* Acq_rel: as in waiter_claim(). */
		if (cas_acq_rel(&w->state, &state, HELD))
			return true;
	}
	return false;
}

void waiter_end(struct waiter *w, int result)
{
	w->result = result;
	/* Release: for who finds it claimed. Pairs with waiter_claim(). */
	store_release(&w->state, CLAIMED_WAITER);
	waiter_wake(w);
}

void waiter_let_go(struct waiter *w)
{
	/* Release: we have read what is the waiter's. Pairs with waiter_claim(). */
	store_release(&w->state, WAITING);
}

void waiter_wake(struct waiter *w)
{
	if (w->what == FOR_EVENT) {
		ready_anywhere(w->rt, when_item(w));
		return;
	}
	if (w->stack) {
		make_ready(w->stack);
		return;
	}
	/*
	 * Release: the result before the thread reads it. Pairs with block_thread(). The waiter is
	 * gone from here on.
	 */
	store_release(&w->state, WOKEN);
	futex_wake(&w->state, 1);
}

/* ---- waiting ---- */

static void block_thread(struct waiter *w, int64_t deadline)
{
	uint32_t state;

	/* Acquire: the result before it is read. Pairs with waiter_wake(). */
	while ((state = load_acquire(&w->state)) != WOKEN) {
		if (state == CLAIMED_WAITER)
			deadline = FILCH_NEVER; /* it is being woken, and in use until then */
		else if (deadline != FILCH_NEVER && filch_now() >= deadline &&
		         waiter_claim(w, -ETIMEDOUT))
			return;
		futex_wait(&w->state, state, deadline);
	}
}

struct leaving {
	struct waiter *waiter;
	uint64_t *word;
	uint64_t value;
	int64_t deadline;
	void (*publish)(struct waiter *); /* a wait without a list */
	void (*then)(void *);             /* the waiter may be gone by then */
	void *arg;
};

/*
 * On another stack: the waiter's can be resumed now. The timer first, since the waiter may be gone
 * when it is published.
 */
static void after_wait(struct worker *w, void *arg)
{
	struct leaving l = *(struct leaving *)arg;

	if (l.deadline != FILCH_NEVER)
		timer_arm(&w->timers, &l.waiter->timer, l.deadline);
	/* Release: all that before its end. Pairs with waiter_claim() and waiter_hold(). */
	store_release(&l.waiter->state, WAITING);
	if (l.word)
		unlock(l.word, l.value);
	if (l.publish)
		l.publish(l.waiter);
	if (l.then)
		l.then(l.arg);
}

static int wait_somewhere(struct leaving *l)
{
	struct waiter *w = l->waiter;

	if (w->stack) {
		leave_stack(worker_here(), after_wait, l);
		if (l->deadline != FILCH_NEVER)
			timer_disarm(&w->timer);
	} else {
		int64_t deadline = l->deadline;

		l->deadline = FILCH_NEVER; /* no timer: the thread looks at the clock itself */
		after_wait(NULL, l);
		block_thread(w, deadline);
	}
	return w->result;
}

/*
 * Has it passed for sure? The watcher's clock is never ahead and costs a load; what passed since its
 * last tick is left to the timer. A thread looks at the clock itself before it sleeps.
 */
static bool passed(const struct stack *s, int64_t deadline)
{
	/* Relaxed: a time. */
	return deadline <= 0 || (s && deadline <= load_relaxed(&s->rt->watch.now));
}

/*
 * The wait may depend on the task's forks. Without memory for all of them at once, it makes way for
 * those that can be taken: unless there is none for the stacks that these would need, either.
 */
static int make_way(struct stack *s, int64_t deadline)
{
	int error;

	let_go(worker_here());
	while ((error = publish_forks(worker_here(), s)) && can_begin(worker_here()) &&
	       !passed(s, deadline))
		filch_yield();
	return error;
}

struct waiter *wait_begin(struct waiter *thread, int what, int64_t deadline)
{
	struct stack *s = stack_here();
	struct job *j = s ? NULL : job_here();
	struct waiter *w = s ? &s->waiter : j ? &j->waiter : thread;

	/* Relaxed: nobody waits for it yet, nor since its last wait. */
	store_relaxed(&w->state, IDLE);
	w->refusal = s ? make_way(s, deadline) : 0;
	w->listed = false;
	w->what = (uint8_t)what;
	w->stack = s;
	w->value = NULL;
	w->timer.when = deadline;
	if (passed(s, deadline))
		w->refusal = -ETIMEDOUT;
	return w;
}

int wait_announce(struct waiter *w)
{
	struct stack *s = w->stack ? w->stack : task_here();

	barrier_store(&w->state, HELD);
	if (w->stack)
		stack_note_time(s);
	if (s && can_be_cancelled(w) && task_cancelled(s))
		w->refusal = -ECANCELED;
	if (w->refusal)
		/* Release: it does not wait after all. Pairs with waiter_hold(). */
		store_release(&w->state, IDLE);
	return w->refusal;
}

int wait_in_then(uint64_t *word, uint64_t value, void **list, struct waiter *w, int64_t deadline,
                 void (*then)(void *), void *arg)
{
	struct leaving l = { .waiter = w,
		             .word = word,
		             .value = value | WAITERS,
		             .deadline = deadline,
		             .then = then,
		             .arg = arg };
	int result;

	wait_enlist(list, w);
	if (w->stack)
		w->stack->object = word; /* the first field of everything that has one */
	result = wait_somewhere(&l);
	if (result == -ETIMEDOUT || result == -ECANCELED) {
		value = lock(word);
		wait_delist(list, w);
		unlock(word, *list ? value : value & ~WAITERS);
	}
	return result;
}

int wait_in(uint64_t *word, uint64_t value, void **list, struct waiter *w, int64_t deadline)
{
	int refusal = wait_announce(w);

	if (refusal) {
		unlock(word, value | (*list ? WAITERS : 0));
		return refusal;
	}
	return wait_in_then(word, value, list, w, deadline, NULL, NULL);
}

int wait_for(void (*publish)(struct waiter *), struct waiter *w, int64_t deadline)
{
	struct leaving l = { .waiter = w, .deadline = deadline, .publish = publish };

	int refusal = wait_announce(w);

	return refusal ? refusal : wait_somewhere(&l);
}
