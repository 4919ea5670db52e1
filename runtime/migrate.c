/* SPDX-License-Identifier: MIT */
/*
 * A descriptor is watched by the poller of the worker on which somebody first waited for it, and its
 * events come there from then on. So connections are spread as they were accepted, and where all of them
 * together give one worker just enough to do, two share it: each sleeps between any two events, is woken
 * for each, and both do less than one that goes on without a sleep. Where one has more to do than it can,
 * the others have to steal what it alone is told of.
 *
 * So waits without a stack (filch_submit_when), of which a server has one for each connection, move as
 * they begin:
 *
 *	together	from who was woken by its own poller, to who has more of them, is at work on
 *			short items, and keeps up
 *	apart		from who has more to do than it will have done soon, and does not keep up, to
 *			who has fewer of them and does
 *
 * Who has slept within the last two ticks of the watcher keeps up. A few move in a tick, since each
 * move costs as much as a request: that bounds what a load costs that changes its mind.
 *
 * How one moves. Its old worker lets go of the descriptor, and puts the item that begins the wait into
 * the new one's list of what was moved to it, where thieves do not look: they would take the wait to
 * themselves. The new one takes it as it gathers, and before it sleeps. Nothing is left there, since (all
 * seq_cst)
 *
 *	who moves it			who it is moved to
 *
 *	M1 put it into the list		N1 state = PARKED, POLLING or AWAY
 *	M2 read state			N2 take the list
 *
 * If N2 does not see M1, then M2 sees N1, and what is there goes to its inbox, like anything else that
 * was made available (P1 in park.c). For who begins something long meanwhile the watcher does that.
 */
#include "migrate.h"

#include "descriptor.h"
#include "steal.h"

#define LATELY ((int64_t)10000000) /* ns: two ticks of the watcher */
#define SHORT  (SOON / 5)          /* ns for an item: a sleep and a wake-up cost a good part of it */

static bool keeps_up(struct worker *w)
{
	/* Relaxed, both: times. */
	return load_relaxed(&w->rt->watch.now) - load_relaxed(&w->woke) <= LATELY;
}

/* Of two that have as much the first one has more. */
static bool has_more(const struct worker *w, const struct worker *than)
{
	/* Relaxed, both: hints. */
	unsigned n = load_relaxed(&w->poller->watched), m = load_relaxed(&than->poller->watched);

	return n > m || (n == m && w->index < than->index);
}

/* One that it has moved waits to before, or else another one each time, of those that share a cache. */
static struct worker *candidate(struct worker *w)
{
	struct worker *c = w->rt->worker[w->candidate % load_seq(&w->rt->known)];

	return c != w && !places_apart(&w->place, &c->place) ? c : NULL;
}

static void move_to(struct worker *w, struct worker *c)
{
	if (!c)
		w->candidate++;
	w->moves_to = w->moves ? c : NULL;
}

void migrate_together(struct worker *w)
{
	struct worker *c = candidate(w);

	/* Relaxed: a time. */
	if (c && (asleep(c) || away(c) || !keeps_up(c) || load_relaxed(&c->pace) > SHORT ||
	          !has_more(c, w)))
		c = NULL;
	move_to(w, c);
}

void migrate_apart(struct worker *w)
{
	struct worker *c;

	w->moves_to = NULL;
	if (keeps_up(w) || !needs_help(w, 0))
		return;
	c = candidate(w);
	if (c && (leaving(c) || away(c) || !(asleep(c) || keeps_up(c)) || !has_more(w, c)))
		c = NULL;
	move_to(w, c);
}

/*
 * Is it nobody's, or else w's alone? Then it is nobody's now. A poll on a ring ends later, when it
 * likes: these stay.
 */
static bool detach(struct worker *w, struct descriptor *d, int fd)
{
	struct poller *receiver = load_seq(&d->receiver), *poller = load_seq(&d->poller);

	if (receiver == w->poller && !poller) {
		poller_forget(receiver, fd, d, BYTES);
		gather_events(w);
		return !load_seq(&d->receiver);
	}
	if (poller == w->poller && !receiver && !poller->kind->receives) {
		descriptor_unwatch(d, fd, w->rt);
		descriptor_end_waits(d, 0);
		return true;
	}
	return !receiver && !poller;
}

bool migrate(struct worker *w, struct descriptor *d, int fd, struct filch_slot_ *item)
{
	struct worker *to = w->moves_to;

	if (!to || !w->moves || !detach(w, d, fd))
		return false;
	w->moves--;
	count_up(&w->moved_away); /* relaxed inside: a statistic */
	inbox_put(&to->moved, item);
	if (asleep(to) || away(to))
		migrate_return(w->rt, to);
	return true;
}

void migrate_arrive(struct worker *w)
{
	empty_inbox(w, &w->moved);
}

void migrate_return(struct filch *rt, struct worker *w)
{
	struct filch_slot_ *item = inbox_take(&w->moved);
	bool any = item;

	while (item) {
		struct filch_slot_ *next = item_next(item);

		inbox_put(&w->inbox, item);
		item = next;
	}
	if (any)
		wake_one(rt);
}
