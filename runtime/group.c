/* SPDX-License-Identifier: MIT */
/*
 * Groups. The word counts the tasks that have not finished (VALUE_ONE each) beside the lock and the
 * mark of waiters, so that the last task's step from one to none is its last access when nobody
 * waits, and takes the lock in the same step when somebody does: whoever then sees the count at
 * none while the word is unlocked may free the group.
 *
 * A worker that runs one task of a group after the other counts them out together (group_settle):
 * at the latest before it does anything else, or nothing. Meanwhile the group is not done anyway,
 * since the task that it runs belongs to it. And a task that is submitted there meanwhile takes the
 * place of one that finished, without touching the word. Of tasks that are held back (hold.c) many
 * are counted in before they are submitted; what was too many is counted out when they are queued.
 */
#include <errno.h>

#include "task.h"

void filch_group_init(filch_group *g, filch *rt)
{
	struct stack *s = task_here();

	*g = (filch_group){ .rt_ = rt, .parent_ = s ? group_of(s) : NULL };
}

/*
 * seq_cst, as the mark: see cancel.c. And what was said before the cancel is seen by who sees it.
 */
bool group_cancelled(const struct filch_group *g)
{
	for (; g; g = g->parent_) {
		if (load_seq(&g->error_))
			return true;
	}
	return false;
}

/*
 * Add to the count, but for a step to none while somebody waits: then the word is locked instead,
 * and true.
 */
static bool count(filch_group *g, uint64_t change)
{
	uint64_t word = load_relaxed(&g->word_); /* relaxed: the CAS checks it */

	for (;;) {
		uint64_t next = word + change;
		bool wakes = next < VALUE_ONE && (next & WAITERS);

		if (word & LOCKED) {
			unlock(&g->word_, lock(&g->word_)); /* when its holder is done */
			word = load_relaxed(&g->word_);     /* relaxed: the CAS checks it */
			continue;
		}
		/*
		 * Acq_rel: the task's work before its group's wait returns. Pairs with itself and
		 * filch_group_wait().
		 */
		if (cas_acq_rel(&g->word_, &word, wakes ? next | LOCKED : next))
			return wakes;
	}
}

void group_count_out(struct filch_group *g, uint64_t n)
{
	struct waiter *chain;

	if (!count(g, -(n * VALUE_ONE)))
		return;
	chain = wait_take_all(&g->waiters_, 0, NULL);
	unlock(&g->word_, 0);
	waiters_wake(chain);
}

void group_settle(struct worker *w)
{
	uint64_t n = w->finished;

	if (!n)
		return;
	w->finished = 0;
	group_count_out(w->group, n);
}

void group_count_in(struct filch_group *g, struct worker *in)
{
	if (in && in->group == g && in->finished)
		in->finished--;
	else
		count(g, VALUE_ONE);
}

bool group_reserve(struct filch_group *g)
{
	uint64_t word = load_relaxed(&g->word_); /* relaxed: the CAS checks it */

	do {
		if (word & (WAITERS | LOCKED))
			return false;
	} while (!cas_seq(&g->word_, &word, word + HOLD * VALUE_ONE));
	return true;
}

bool group_awaited(const struct filch_group *g)
{
	return load_seq(&g->word_) & (WAITERS | LOCKED);
}

int filch_group_submit(filch_group *g, filch_fn *fn, void *arg)
{
	if (!g || !g->rt_ || !fn)
		return -EINVAL;
	if (group_cancelled(g))
		return -ECANCELED;
	return task_submit(g->rt_, worker_of(g->rt_), fn, arg, g);
}

static bool own_group(const filch_group *g)
{
	struct stack *s = task_here();

	for (const filch_group *mine = s ? group_of(s) : NULL; mine; mine = mine->parent_) {
		if (mine == g)
			return true;
	}
	return false;
}

/*
 * Nobody keeps tasks of a group from who waits for it, nor a count beyond them: a worker that holds
 * tasks back reserves only if nobody waits, and looks once more when its hold is open (group_awaited
 * after hold_open); we say that we wait before we look at what is open. All seq_cst.
 */
static void fetch_held(filch_group *g)
{
	struct filch *rt = g->rt_;
	uint64_t word = lock(&g->word_);
	void *items[HOLD];

	if (word < VALUE_ONE) {
		unlock(&g->word_, word);
		return;
	}
	store_seq(&g->word_, word | WAITERS); /* unlocks it */
	for (unsigned i = 0, n = load_seq(&rt->known); i < n; i++) {
		struct worker *w = rt->worker[i];

		/* Relaxed: another group is ours no more, or not yet. */
		if (hold_is_open(&w->hold) && load_relaxed(&w->hold.group) == g)
			ready_all(rt, items, raid_held(w, items));
	}
}

int filch_group_wait_until(filch_group *g, int64_t deadline)
{
	struct waiter thread, *w;
	uint64_t word;
	int result = 0;

	if (!g || !g->rt_)
		return -EINVAL;
	if (own_group(g))
		return -EDEADLK;
	w = wait_begin(&thread, FOR_GROUP, deadline);
	fetch_held(g);
	word = lock(&g->word_);
	if (word >= VALUE_ONE)
		result = wait_in(&g->word_, word, &g->waiters_, w, deadline);
	else
		unlock(&g->word_, word);
	/* Acquire: pairs with filch_group_cancel(). */
	return result ? result : load_acquire(&g->error_);
}

int filch_group_wait(filch_group *g)
{
	return filch_group_wait_until(g, FILCH_NEVER);
}
