/* SPDX-License-Identifier: MIT */
/*
 * Fork and join, but for the two inline functions in filch_task.h that do the common case.
 *
 * A stack's forks in flight lie in an array of slots. Those below split are published: they lie in
 * the deque of a worker, oldest at the top, and a join must find out what became of them. Those from
 * split on are private, and a join just calls the function. A frame is {stack, top slot}, passed by
 * value, so a fork and its join write to nothing that others write to; split is the owner's, but for
 * raids.
 *
 * When to publish: an idle worker counts itself hungry (parking_search), reads which stack every
 * other worker runs on, and overwrites the two words of it that forks and joins compare with, so
 * that the next one takes the slow path (poison). The slow path publishes if somebody is hungry and
 * the worker's deque has nothing to take, the oldest private slots first, since the oldest fork is
 * the biggest piece; otherwise it restores the words (settle). Whoever takes from a deque while
 * others are hungry poisons again what may be settled because of it: the stack that its owner runs.
 *
 * Of those that sleep only those count as hungry that would be of use to forks (crowd.c). With more
 * workers than CPUs somebody always sleeps, and what is published for him its owner takes back, for
 * ten times the price of a private fork.
 *
 * At first the limit is SHALLOW slots away. Who passes it marks the area as deep (settle), and has all
 * of it; what that touched is given back when the stack is done with it (drop_slots in hand.c).
 *
 * What is private when a task calls something long is out of reach for a while (raid.c). So while
 * anybody is hungry the limit is only AHEAD slots away, and more than that is published as well, in
 * growing batches. A tree of small tasks seldom has so many in flight, and pays nothing for it. If
 * nobody took them after all, as when there are more workers than processors, more stay private
 * next time.
 *
 * No hungry worker is overlooked. The steps, all seq_cst:
 *
 *	hungry worker, or thief			owner, in the slow path
 *	H1 hunger: one more; or take from deque	O1 current = this stack
 *	H2 read current				O2 limit, bound = what they stand for
 *	H3 limit, bound = poison		O3 read hunger and deque; if not enough, poison
 *
 * If O3 does not see H1, O3 came before it; so H2 reads this stack (O1), and H3 comes after O2 and
 * stays. If H2 read another stack, then O1 came after it, and O3 sees H1. A stack is switched to
 * with both words poisoned, so its first fork and first join pass through here on every worker it
 * comes to. A poison that arrives late, on a stack that runs elsewhere or nowhere, costs one slow
 * path.
 *
 * A sleeper that did not count begins to when it is woken, when another one goes to sleep, or when
 * forks turn out to take long. Woken, it takes H2 and H3 itself (search.c). So does who goes to sleep,
 * before that, and looks at the deques again after it (W4 in park.c); and so does who finds that forks
 * take long, after that, be it a thief or, where the watcher finds it, whom that wakes. Where a worker
 * leaves nobody does (resize.c), until the watcher's next tick: it poisons what has private forks while
 * anybody sleeps.
 *
 * A thief reads a slot only after its CAS on the deque's top: the owner reuses a slot only after
 * its join, and a join ends only when the slot has been popped by the owner, or has been finished.
 *
 * A task that computes for long without a fork or join sees no poison: others take what it keeps
 * private without its help (raid.c), which is why split is changed between begin_change() and
 * end_change().
 *
 * Joining a published slot: finished, take the result. Still the youngest in this worker's deque,
 * pop it and call. Otherwise leave the stack, and exchange it into the slot's state; whoever
 * finishes the slot exchanges DONE, and the second of the two finds the first. The finisher's
 * exchange is its last access to the slot, and the waiter's stack is what its worker does next. That
 * stack runs no stranger's task meanwhile: the worker goes on with another one.
 */
#include "fork.h"

#include <errno.h>

#include "crowd.h"
#include "hand.h"
#include "raid.h"
#include "steal.h"
#include "task.h"

#define AHEAD 16 /* forks that stay private while somebody is hungry and has others to take */
#define FAR   4096 /* the same, where nobody took what was published */

/* A slot's state, from publication on: RUNNING, one of these, or the stack that waits for it. */
static void *done, *root; /* aligned, so that serial.c's mark is free */
#define DONE    ((void *)&done)
#define ROOT    ((void *)&root) /* X_run: nobody waits for it here */

/* ---- publication ---- */

static int publish(struct worker *w, struct stack *s, int64_t n)
{
	void *items[MOST];

	poison(s); /* bound is below the new split from here on */
	while (n > 0) {
		int64_t some = n < MOST ? n : MOST;

		for (int64_t i = 0; i < some; i++) {
			s->split[i].state = RUNNING;
			items[i] = s->split + i;
		}
		if (deque_push(&w->forks, items, some))
			return -ENOMEM;
		set_split(s, s->split + some);
		n -= some;
		/* Relaxed: a statistic. */
		store_relaxed(&w->stats.published, w->stats.published + (uint64_t)some);
	}
	return 0;
}

int publish_private(struct worker *w, struct stack *s)
{
	int64_t n;
	int error = 0;

	begin_change(s);
	n = s->words.top - s->split;
	if (n > 0)
		error = publish(w, s, n);
	end_change(s);
	if (n > 0)
		wake_for_fork(s->rt);
	return error;
}

static int64_t ahead(struct worker *w)
{
	return AHEAD + (int64_t)w->unwanted;
}

/*
 * There is something for the hungry to take, which they have been woken for, and not much more that
 * they could not. Slots from top on are not in flight.
 */
static bool fed(struct worker *w, struct stack *s, struct filch_slot_ *top)
{
	return deque_size(&w->forks) > 0 && top - s->split <= ahead(w);
}

static struct filch_slot_ *limit_of(struct worker *w, struct stack *s, bool hungry)
{
	struct slots *slots = s->slots;
	struct filch_slot_ *end = slots->deep ? slots_end(slots) : slots->slot + SHALLOW;

	return hungry && end - s->split > ahead(w) ? s->split + ahead(w) : end;
}

/*
 * Let the words stand for what they mean, unless somebody waits for forks: then false, and they are
 * poisoned, or will be by who waits (H3).
 */
static bool settle(struct worker *w, struct stack *s, struct filch_slot_ *top)
{
	bool hungry = forks_wanted(w->rt);

	if (top > s->slots->slot + SHALLOW)
		s->slots->deep = true;
	if (hungry && !fed(w, s, top))
		return false;
	store_seq(&w->current, s);
	store_seq(&s->words.limit, limit_of(w, s, hungry));
	store_seq(&s->words.bound, s->split);
	if (!load_seq(&s->raid) && (!forks_wanted(w->rt) || (hungry && fed(w, s, top))))
		return true;
	poison(s);
	return false;
}

/* The watcher has asked for it: see watch.c. */
static bool was_asked_for_room(struct worker *w)
{
	/* Relaxed, both: the watcher asks again. */
	if (!load_relaxed(&w->yield))
		return false;
	store_relaxed(&w->yield, 0);
	return true;
}

/*
 * Publish for whoever is hungry, more each time while they keep coming. Slots from top on are not
 * in flight.
 */
static void share(struct stack *s, struct filch_slot_ *top)
{
	struct worker *w = worker_here();
	bool settled;
	int64_t n;

	if (was_asked_for_room(w)) {
		make_room(w);
		return; /* perhaps on another worker; the words are poisoned again */
	}
	begin_change(s);
	settled = settle(w, s, top);
	n = settled ? 0 : top - s->split;
	if (n > 0)
		publish(w, s, n < w->batch ? n : w->batch);
	end_change(s);
	if (settled && !forks_wanted(w->rt))
		w->batch = 1;
	if (n <= 0)
		return;
	if (w->batch < MOST)
		w->batch *= 2;
	wake_for_fork(s->rt);
}

/* Somebody waits for it, or may: only a computation in a queue comes to its own forks by itself. */
static bool is_needed(struct filch_slot_ *slot)
{
	/* Relaxed, both: if not now, then next time. */
	return load_relaxed(&slot->state) != RUNNING ||
	       !load_relaxed(&slots_of(slot)->owner->gave_way);
}

/*
 * A computation that has made room goes on before its forks, and could for ever; but others may wait
 * for what theirs do. Those are looked for among the youngest; and now and then it is the oldest that
 * is taken, or one that always has younger ones above it would wait for ever.
 */
struct filch_slot_ *needed_fork(struct worker *w)
{
	struct filch_slot_ *slot;
	void *kept[MOST];
	int64_t n = MOST;

	if (++w->forks_turns % 8 == 0 && (slot = deque_steal(&w->forks))) {
		poison_if_hungry(w);
		return slot;
	}
	while ((slot = n ? deque_pop(&w->forks) : NULL) && !is_needed(slot))
		kept[--n] = slot;
	if (n < MOST) {
		deque_push(&w->forks, kept + n, MOST - n); /* where they were: it does not grow */
		wake_for_fork(w->rt); /* they were out of sight for a moment */
	}
	if (slot)
		poison_if_hungry(w);
	return slot;
}

/* ---- the slow paths of fork and join ---- */

void filch_fork_slow_(struct filch_stack_ *words, struct filch_slot_ *top)
{
	if (serial_words(words))
		/* The end of the slots of last resort: as the guard behind the others. */
		__builtin_trap();
	share(stack_of(words), top);
}

struct waiting_join {
	struct filch_slot_ *slot;
	struct stack *stack;
};

static void hand_to_finisher(struct worker *w, void *arg)
{
	struct waiting_join j = *(struct waiting_join *)arg;

	/*
	 * Acq_rel: the saved stack before the finisher resumes it, or the finisher's result before
	 * this stack reads it. Pairs with the exchange in filch_finish_().
	 */
	if (exchange_acq_rel(&j.slot->state, (void *)j.stack) == DONE)
		ready_next(w, &j.stack->item);
}

bool filch_join_slow_(struct filch_stack_ *words, struct filch_slot_ *slot)
{
	struct stack *s = stack_of(words);
	struct worker *w;
	bool private;

	begin_change(s);
	private = slot >= s->split;
	end_change(s);
	if (private) {
		share(s, slot);
		return false;
	}
	w = worker_here();
	if (was_asked_for_room(w)) {
		make_room(w);
		w = worker_here();
	}
	set_split(s, slot); /* without begin_change(): with nothing above it there is nothing to take */
	/* Acquire: the result before its use. Pairs with the exchange in filch_finish_(). */
	if (load_acquire(&slot->state) == DONE) {
		w->unwanted = 0;
		return true;
	}
	if (deque_pop_if(&w->forks, slot)) {
		if (w->unwanted < FAR)
			w->unwanted += AHEAD;
		poison_if_hungry(w);
		return false;
	}
	w->unwanted = 0;
	stack_note_time(s);
	/* Release: the time before it. Pairs with the look in dump.c. */
	store_release(&s->waiter.state, JOINING);
	leave_for_loop(w, hand_to_finisher, &(struct waiting_join){ slot, s });
	store_relaxed(&s->waiter.state, IDLE); /* relaxed: nobody ends it by this */
	return true;
}

/* ---- where a forking task begins and ends: thieves, and X_run ---- */

void set_slots(struct stack *s, struct slots *slots)
{
	struct filch_slot_ *first = slots ? slots->slot : NULL;

	begin_change(s);
	poison(s); /* the limit was that of others */
	store_relaxed(&s->slots, slots); /* relaxed: for others a hint */
	set_split(s, first);
	store_relaxed(&s->words.top, first); /* relaxed: its owner's own but for D4 */
	end_change(s);
}

static void lend_slots(struct worker *w, struct stack *s)
{
	struct slots *slots = take_slots(w);

	slots->owner = s;
	set_slots(s, slots);
}

static filch_frame frame_of(struct filch_stack_ *words)
{
	return (filch_frame){ words, words->top, words->top, NULL };
}

filch_frame filch_enter_(struct filch_slot_ *slot)
{
	struct filch_stack_ *serial = serial_of(slot);
	struct worker *w;
	struct stack *s;

	if (serial)
		return frame_of(serial);
	w = worker_here();
	s = w->current;
	if (!s->slots)
		lend_slots(w, s);
	s->frames++;
	if (load_relaxed(&slot->state) != ROOT) { /* relaxed: always so, or never */
		group_settle(w);
		s->origin = slot;
		/* Relaxed: the dump may read it at any time. */
		store_relaxed(&s->task, (filch_fn *)(uintptr_t)slot->run);
	}
	return frame_of(&s->words);
}

void filch_finish_(struct filch_slot_ *slot)
{
	void *state;

	if (serial_of(slot))
		return;
	stack_here()->frames--;
	/*
	 * Acq_rel: the result before the join reads it; the waiter's saved stack before it is
	 * resumed. Pairs with filch_join_slow_() and hand_to_finisher().
	 */
	state = exchange_acq_rel(&slot->state, DONE);
	if (state != RUNNING && state != ROOT)
		ready_next(worker_here(), &((struct stack *)state)->item);
}

static void run_nested(void *slot)
{
	struct filch_slot_ *s = slot;

	s->run(s);
}

static bool can_nest(struct worker *w)
{
	return w->current->slots || w->slots;
}

void filch_run_(filch *rt, struct filch_slot_ *slot)
{
	struct worker *w = rt ? worker_of(rt) : NULL;

	slot->state = ROOT;
	if (w && can_nest(w))
		run_nested(slot);
	else if (!rt || w || task_run(rt, run_nested, slot))
		run_serial(slot);
}
