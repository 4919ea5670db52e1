/* SPDX-License-Identifier: MIT */
/*
 * Whom to steal from: everybody in turn, beginning with a random one, so that thieves spread (R. D.
 * Blumofe and C. E. Leiserson, "Scheduling multithreaded computations by work stealing", Journal of
 * the ACM 46(5), 1999); with workers bound to CPUs, first those that share a cache, then those of the
 * same node, then the others. From each first a fork, the oldest and so the biggest; then half of
 * what is ready there; then what threads outside have left with it. And before it sleeps: what others
 * hold back (hold.c), and what they keep private while they compute (raid.c).
 *
 * One fork at a time: a second one taken from a tree would be a piece that its owner will want to
 * join soon. But who had one is the first to be asked for another, before a search, which costs both more
 * than a short fork. Ready tasks and what comes from outside are many and small, and the visit costs more
 * than they do.
 */
#include "steal.h"

#include "crowd.h"
#include "raid.h"

#define GLANCE 64 /* turns of a waiting loop: longer than a short task, shorter than a wake-up */
#define MANY 128 /* items to take from a ready queue at once, at most */
_Static_assert(HOLD <= MANY, "what a raid brings");

/* G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003. */
static unsigned next_random(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 17;
	w->random ^= w->random << 5;
	return w->random;
}

static void put_back(struct worker *w, void **items, int64_t n)
{
	while (n > 0)
		inbox_put(&w->inbox, items[--n]);
}

/* At the end of w's ready queue; or where they stay reachable, without memory for it to grow. */
void ready_many(struct worker *w, void **items, int64_t n)
{
	if (n && deque_push(&w->ready, items, n))
		put_back(w, items, n);
}

static void wait_turns(int turns)
{
	for (int i = 0; i < turns; i++)
		spin_pause();
}

/*
 * How many items there are, a little later if they keep coming: each look at a queue that somebody
 * fills takes the line from him, and costs both of them more than many items do.
 */
static int64_t ripe(const struct deque *d)
{
	int64_t size = deque_size(d), before = 0;

	for (int turns = GLANCE / 4; turns <= 2 * GLANCE; turns *= 2) {
		if (size <= before || size >= MANY)
			break;
		before = size;
		wait_turns(turns);
		size = deque_size(d);
	}
	return size;
}

/* Does it come to its queues soon, by how it did lately? */
static bool moves(struct worker *victim)
{
	/* Relaxed: only compared; a wrong answer costs a visit. */
	uint32_t tick = load_relaxed(&victim->tick);

	wait_turns(GLANCE);
	return load_relaxed(&victim->tick) != tick; /* relaxed: as above */
}

/*
 * Take half of what is ready there, up to MANY: a visit costs more than an item. A single item is
 * left to an owner that moves, if there is time to look again: two tasks that wake each other stay
 * on one worker.
 */
static struct filch_slot_ *steal_ready(struct worker *w, struct worker *victim, bool last)
{
	int64_t size = last ? deque_size(&victim->ready) : ripe(&victim->ready), n;
	void *items[MANY];

	if (!size || (size == 1 && !last && victim != w && moves(victim)))
		return NULL;
	n = deque_take(&victim->ready, items, size < 2 * MANY ? (size + 1) / 2 : MANY);
	if (n > 1)
		ready_many(w, items + 1, n - 1);
	return n ? items[0] : NULL;
}

static bool empty_inbox(struct worker *w, struct inbox *in)
{
	struct filch_slot_ *item = inbox_take(in);
	bool any = item;
	void *items[MANY];

	while (item) {
		int64_t n = 0;

		for (; item && n < MANY; n++) {
			items[n] = item;
			item = item_next(item);
		}
		ready_many(w, items, n);
	}
	return any;
}

static bool empty_port(struct worker *w, struct port *p)
{
	void *items[MANY];
	int64_t n = 0;

	if (deque_size(&w->ready) || ripe(&p->arrived))
		n = deque_take(&p->arrived, items, MANY);
	ready_many(w, items, n);
	return n;
}

/*
 * A worker that is stuck in an item, or away, is of no use to what waits there, and with all others
 * busy nobody comes to steal it. So they take it as they look at everything: what is ready, mail and
 * what is held back, as much of it as one visit brings. True: there are forks as well, one of which
 * has its turn (rescue_fork()).
 */
bool rescue(struct worker *w)
{
	bool forks = false;

	for (unsigned i = 0, n = load_seq(&w->rt->known); i < n; i++) {
		struct worker *victim = w->rt->worker[i];
		void *items[MANY];

		if (victim == w || !load_relaxed(&victim->stuck)) /* relaxed: a hint */
			continue;
		ready_many(w, items, deque_take(&victim->ready, items, MANY));
		if (has_mail(victim))
			collect(w, victim);
		if (hold_count(&victim->hold))
			ready_many(w, items, raid_held(victim, items));
		forks |= deque_size(&victim->forks) > 0;
	}
	return forks;
}

/* A fork that waits there; to be run at once, since it must not be in an inbox. */
struct filch_slot_ *rescue_fork(struct worker *w)
{
	struct filch_slot_ *item = NULL;

	for (unsigned i = 0, n = load_seq(&w->rt->known); i < n && !item; i++) {
		struct worker *victim = w->rt->worker[i];

		if (victim == w || !load_relaxed(&victim->stuck)) /* relaxed: a hint */
			continue;
		item = deque_steal(&victim->forks);
		if (item && forks_wanted(w->rt))
			poison_stack(load_seq(&victim->current)); /* as in search() */
	}
	return item;
}

void collect(struct worker *w, struct worker *from)
{
	bool any = empty_inbox(w, &from->inbox);

	for (int i = 0; i < PORTS; i++)
		any |= empty_port(w, &from->port[i]);
	if (any)
		/* They were out of sight for a moment, in which somebody may have gone to sleep. */
		wake_one(w->rt);
}

bool has_mail(const struct worker *w)
{
	bool any = !inbox_empty(&w->inbox);

	for (int i = 0; i < PORTS; i++)
		any |= port_admitted(&w->port[i]) && deque_size(&w->port[i].arrived) > 0;
	return any;
}

struct filch_slot_ *oldest_arrival(struct worker *w)
{
	struct filch_slot_ *item = NULL;

	for (int i = 0; i < PORTS && !item; i++) {
		if (port_admitted(&w->port[i]))
			item = deque_steal(&w->port[i].arrived);
	}
	return item;
}

static struct filch_slot_ *steal_from(struct worker *w, struct worker *victim, bool last)
{
	struct filch_slot_ *item = deque_steal(&victim->forks);

	if (item)
		w->series.victim = victim;
	else
		item = steal_ready(w, victim, last);
	if (!item && has_mail(victim)) {
		collect(w, victim);
		item = deque_steal(&w->ready);
	}
	/* Relaxed inside: statistics. */
	if (item && victim != w)
		count_up(&w->stats.steals);
	else if (!item)
		count_up(&w->stats.steal_misses);
	return item;
}

/* What the others hold back: a system call for each, and so only if there is nothing else. */
static struct filch_slot_ *steal_held(struct worker *w)
{
	unsigned known = load_seq(&w->rt->known);
	void *items[HOLD];
	int64_t n = 0;

	for (unsigned i = 0; i < known && n <= 0; i++) {
		if (i != w->index)
			n = raid_held(w->rt->worker[i], items);
	}
	if (n > 1)
		ready_many(w, items + 1, n - 1);
	return n > 0 ? items[0] : NULL;
}

/* What the others keep private while they compute: a system call as well. */
static struct filch_slot_ *steal_private(struct worker *w)
{
	unsigned known = load_seq(&w->rt->known);
	struct filch_slot_ *item = NULL;

	for (unsigned i = 0; i < known && !item; i++) {
		struct stack *s = load_seq(&w->rt->worker[i]->current);

		if (i != w->index && raid_possible(s))
			item = raid_forks(w, s);
	}
	if (item)
		count_up(&w->stats.steals); /* relaxed inside: a statistic */
	return item;
}

struct filch_slot_ *steal_again(struct worker *w)
{
	struct filch_slot_ *item = NULL;

	/* Now and then it looks at the others. Relaxed: a time. */
	if (w->series.victim && load_relaxed(&w->rt->watch.now) == w->series.looked)
		item = deque_steal(&w->series.victim->forks);
	if (!item)
		return NULL;
	w->series.thefts++;
	count_up(&w->stats.steals); /* relaxed inside: a statistic */
	if (forks_wanted(w->rt))
		poison_stack(load_seq(&w->series.victim->current)); /* as in search() */
	return item;
}

struct filch_slot_ *steal(struct worker *w, bool last)
{
	struct filch *rt = w->rt;
	unsigned n = load_seq(&rt->known), start = next_random(w) % n;
	struct filch_slot_ *item = NULL;

	for (unsigned far = 0; far <= rt->widest && !item; far++) {
		for (unsigned i = 0; i < n && !item; i++) {
			struct worker *victim = rt->worker[(start + i) % n];

			if (places_apart(&w->place, &victim->place) == far)
				item = steal_from(w, victim, last);
		}
	}
	if (item || !last)
		return item;
	item = steal_held(w);
	return item ? item : steal_private(w);
}

/* What is poisoned already need not be again: its owner has yet to look at the hunger. */
void poison_stack(struct stack *s)
{
	if (load_seq(&s->words.limit))
		store_seq(&s->words.limit, (struct filch_slot_ *)0);
	if (load_seq(&s->words.bound) != (struct filch_slot_ *)UINTPTR_MAX)
		store_seq(&s->words.bound, (struct filch_slot_ *)UINTPTR_MAX);
}

/* H2 and H3 of the argument in fork.c. */
void poison_others(struct worker *w)
{
	unsigned n = load_seq(&w->rt->known);

	for (unsigned i = 0; i < n; i++) {
		if (i != w->index)
			poison_stack(load_seq(&w->rt->worker[i]->current));
	}
}

bool anything_private(struct filch *rt)
{
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++) {
		if (raid_possible(load_seq(&rt->worker[i]->current)))
			return true;
	}
	return false;
}

bool any_forks(struct filch *rt)
{
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++) {
		if (deque_size(&rt->worker[i]->forks))
			return true;
	}
	return false;
}

bool anything(struct filch *rt, bool forks, const struct worker *but)
{
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++) {
		struct worker *w = rt->worker[i];

		if ((forks && deque_size(&w->forks)) || (w != but && deque_size(&w->ready)) ||
		    has_mail(w) || hold_count(&w->hold))
			return true;
	}
	return false;
}
