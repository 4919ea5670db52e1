/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is, where computations, short tasks and forks have one worker between them.
 *
 * When the watcher's clock has moved a worker looks at everything (may_look() in worker.c), and what is
 * ready then comes before its forks; but for computations that have made room, which keep behind it.
 * If there is one of these, a fork follows that somebody may wait for (needed_fork() in fork.c), or
 * that a stuck worker has (of both kinds one in turn), and then the computation. It comes before its
 * own forks, since who took one of them instead would have begun one more computation for each that
 * makes room, and all of them take turns. In a turn the clock may move again, since what was ready, or
 * the fork, takes long: so that nothing short waits for two of these, there is another look then; but
 * LOOKS at the most, or tasks that follow each other would hold the rest up for ever.
 *
 * A turn begins as a computation makes room, or comes from elsewhere, or a stuck worker has forks.
 *
 * So each of the four comes in a bounded time. A turn has what these looks found, one fork and one
 * computation, and a computation makes room after a slice. Other forks are taken when there is no turn,
 * at least one between LOOKS of them and the oldest after a look, or joined by their own stack, which
 * has its turn.
 */
#include "steal.h"

static bool gave_way(struct filch_slot_ *item)
{
	/* Relaxed: its stack wrote it before it was queued. */
	return is_stack(item) &&
	       load_relaxed(&container_of(item, struct stack, item)->gave_way);
}

bool goes_behind(struct worker *w, struct filch_slot_ *item)
{
	if (!gave_way(item))
		return false;
	if (w->turn == NO_TURN) /* it has come from elsewhere */
		w->turn = TURN_OF_FORK;
	ready_here(w, item);
	return true;
}

/* The next of those that come before forks. */
static struct filch_slot_ *ready_first(struct worker *w)
{
	while (w->room > 0) {
		struct filch_slot_ *item = deque_steal(&w->ready);

		w->room = item ? w->room - 1 : 0;
		if (!item || !goes_behind(w, item))
			return item;
	}
	return NULL;
}

/* The first that has made room, of all that are ready; the others go behind. */
static struct filch_slot_ *ready_computation(struct worker *w)
{
	for (int64_t n = deque_size(&w->ready); n > 0; n--) {
		struct filch_slot_ *item = deque_steal(&w->ready);

		if (!item || gave_way(item))
			return item;
		ready_here(w, item);
	}
	return NULL;
}

/* One that is in progress goes on: or computations that have just begun would always come first. */
void begin_turn(struct worker *w)
{
	if (w->turn != NO_TURN)
		return;
	w->turn = TURN_OF_FORK;
	w->looks = LOOKS;
	w->looked = 0; /* it may look, whatever the clock says */
}

/* Its own or one of a stuck worker's, each in every other turn if there are both. */
static struct filch_slot_ *next_fork(struct worker *w)
{
	bool stuck = load_relaxed(&w->rt->stuck); /* relaxed: a hint */
	struct filch_slot_ *item;

	w->rescues = stuck && !w->rescues;
	item = w->rescues ? rescue_fork(w) : NULL;
	if (!item)
		item = needed_fork(w);
	return item || !stuck || w->rescues ? item : rescue_fork(w);
}

struct filch_slot_ *before_forks(struct worker *w)
{
	struct filch_slot_ *item = ready_first(w);

	if (!item && w->turn == TURN_OF_FORK) {
		w->turn = TURN_OF_COMPUTATION;
		item = next_fork(w);
	}
	if (item || w->turn == NO_TURN)
		return item;
	w->turn = NO_TURN;
	w->looks = LOOKS;
	return ready_computation(w);
}
