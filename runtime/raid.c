/* SPDX-License-Identifier: MIT */
/*
 * Raids. A task that computes for long without a fork or join sees no poison (fork.c), and keeps what
 * it has forked before to itself. When the watcher has found it so, by two looks between which no slow
 * path was taken though the words were poisoned, somebody who would sleep otherwise takes half of its
 * private forks without its help. "The owner is in no slow path" and "who raids takes slots" exclude
 * each other as in barrier.h, so a fork and a join pay nothing for it.
 *
 *	owner					who raids
 *
 *	C1 changes: one more, odd now		D1 raid = mine, RAIDING; limit, bound = poison
 *	C2 read raid: if somebody's, stop it	D2 barrier_heavy()
 *	   (CAS), or wait if he is at D4	D3 raid: RAIDING to TAKING, by CAS
 *	C3 split, limit, bound as needed; if	D4 changes: if even, read split and top, take slots,
 *	   somebody raids by now, poison	   move split
 *	C4 changes: one more			D5 raid = 0
 *
 * If D4 reads even, the owner was in no slow path at D2 (or C1 would be seen), and if it has come into
 * one since, C2 has seen D1, and waits until D5. Nor did an older one leave the words as they should
 * be: C3 either comes before D1, or sees it. So the owner's next fork or join, by the order of its
 * processor at D2, meets the poison and goes to C1; what came before that is in the slots and in top.
 * The slots are complete: each but the newest was before D2, and if that is the only one a second
 * barrier_heavy() comes before it is taken. What was taken is published, but in the deque of another
 * worker, like what a thief has taken.
 */
#include "raid.h"

#include <sched.h>

#include "fork.h"
#include "steal.h"

enum { RAIDING = 1, TAKING, RAID_STATES };

/* C2. Who is at D4 has up to MOST slots to write to, and waits for nobody. */
void raid_stop(struct stack *s)
{
	uint32_t raid = load_seq(&s->raid);

	for (unsigned spins = 0; raid; spins++) {
		if (raid % RAID_STATES == RAIDING && cas_seq(&s->raid, &raid, 0))
			return;
		if (spins < 64)
			spin_pause();
		else
			sched_yield();
		raid = load_acquire(&s->raid); /* acquire: as in begin_change() */
	}
}

/* D4. To w's deque, the oldest first; that one is returned, to be run at once. */
static struct filch_slot_ *take_private(struct worker *w, struct stack *s)
{
	/* Relaxed: nothing changes it now but the step down in filch_join_slow_(), above which is nothing. */
	struct filch_slot_ *first = load_relaxed(&s->split);
	/* Acquire: top before we read the slots. Pairs with FILCH_TOP_ and a barrier_heavy() after it. */
	struct filch_slot_ *top = load_acquire(&s->words.top);
	int64_t n = first ? (top - first + 1) / 2 : 0;
	void *items[MOST];

	if (n <= 0)
		return NULL;
	if (n > MOST)
		n = MOST;
	/* The newest slot is taken only if it is the only one. Then it may be newer than D2. */
	if (top - first == 1 && !barrier_heavy())
		return NULL;
	for (int64_t i = 0; i < n; i++) {
		first[i].state = RUNNING;
		items[i] = first + i;
	}
	if (n > 1 && deque_push(&w->forks, items + 1, n - 1))
		n = 1;
	set_split(s, first + n);
	/* Relaxed: a statistic. */
	store_relaxed(&w->stats.published, w->stats.published + (uint64_t)n);
	return first;
}

static bool has_private(struct stack *s)
{
	/* Relaxed, both: a hint. */
	struct filch_slot_ *split = load_relaxed(&s->split), *top = load_relaxed(&s->words.top);

	return split && top > split;
}

bool raid_possible(struct stack *s)
{
	return load_seq(&s->still) == load_seq(&s->changes) && has_private(s);
}

bool raid_look(struct stack *s, uint32_t *changes)
{
	*changes = load_seq(&s->changes);
	if (!has_private(s))
		return false;
	poison_stack(s);
	return true;
}

bool raid_allow(struct stack *s, uint32_t changes)
{
	if (changes % 2 || load_seq(&s->changes) != changes)
		return false;
	store_seq(&s->still, changes); /* before the look at who sleeps: see park.c */
	return true;
}

struct filch_slot_ *raid_forks(struct worker *w, struct stack *s)
{
	uint32_t none = 0, mine = (w->index + 1) * RAID_STATES + RAIDING;
	struct filch_slot_ *slot = NULL;

	if (!barrier_works_ || !cas_seq(&s->raid, &none, mine))
		return NULL;
	poison_stack(s);
	if (!barrier_heavy()) {
		cas_seq(&s->raid, &mine, 0);
		return NULL;
	}
	if (!cas_seq(&s->raid, &mine, mine - RAIDING + TAKING))
		return NULL; /* its owner has come, and does all that itself */
	/* Acquire: the owner's last change before ours. Pairs with end_change(). */
	if (load_acquire(&s->changes) % 2 == 0)
		slot = take_private(w, s);
	/* Release: the change before the owner goes on. Pairs with raid_stop(). */
	store_release(&s->raid, 0);
	return slot;
}
