/* SPDX-License-Identifier: MIT */
/*
 * A worker has nothing to do: it asks the others for forks, looks around, and sleeps. Whom it looks at
 * is in steal.c, why it overlooks nothing in park.c and fork.c.
 */
#include <sched.h>

#include "crowd.h"
#include "steal.h"

#define PATIENCE 3 /* at most: then it looks for as long as waking up again takes */

/* Sleep until there may be work. The order of these steps is argued in park.c. */
static struct filch_slot_ *sleep_once(struct worker *w)
{
	struct filch *rt = w->rt;
	bool polling = poller_busy(w->poller);
	struct filch_slot_ *item;

	park_announce(&rt->parking, &w->park, polling ? POLLING : PARKED);
	item = steal(w, true);
	if (!item && load_seq(&rt->stopping) && runtime_quiet(rt))
		runtime_end(rt);
	if (!item && !leaving(w)) {
		count_up(&w->stats.parks); /* relaxed inside: a statistic */
		/* Relaxed: old values cost a move, or leave one out. */
		store_relaxed(&w->cpu, sched_getcpu());
		store_relaxed(&w->slept, filch_now());
		if (polling)
			poller_wait(w->poller, timers_bedtime(&w->timers));
		else
			park_sleep(&w->park, timers_bedtime(&w->timers));
	}
	w->woken = park_leave(&rt->parking, &w->park);
	/* Now that it does not count as asleep, and wakes nobody for what it will take itself. */
	poller_deliver(w->poller);
	watch_rouse(rt);
	w->woke = load_relaxed(&rt->watch.now); /* relaxed: a time */
	/*
	 * The code of who has slept is in no cache any more: the shortest way to what it was most
	 * probably woken for. It looks at everything after that.
	 */
	if (w->woken && !item)
		item = oldest_arrival(w);
	return item;
}

/*
 * Look at the others, and again after a while, up to 16 times. The looks become rarer, since each takes
 * lines from who is at work there. Whom a poller feeds as well looks half as often where it was in
 * vain, down to twice, and twice as often where waiting for a later look was worth it: or each time
 * that two requests come at once, and the second one's worker asks for help, most of that is waste.
 */
static struct filch_slot_ *look_around(struct worker *w)
{
	struct filch_slot_ *item = steal(w, false);

	if (!poller_busy(w->poller))
		w->patience = PATIENCE;
	for (unsigned i = 1; !item && i < 2u << w->patience; i++) {
		for (unsigned turn = 0; turn < 8 * i; turn++)
			spin_pause();
		item = steal(w, false);
		if (item && w->patience < PATIENCE)
			w->patience++;
	}
	if (!item && w->patience)
		w->patience--;
	return item;
}

/* Nobody is left who would find what was made available while there was: see park.c. */
static void wake_next(struct worker *w, bool found)
{
	struct filch *rt = w->rt;
	bool forks = forks_wanted(rt);

	/*
	 * The look first, though nobody may sleep: meanwhile the owner of many small forks takes
	 * some back, for a tenth of what a theft costs both.
	 */
	if ((anything(rt, forks, needs_help(w, found) ? NULL : w) || (forks && anything_private(rt))) &&
	    parking_wants_wake(&rt->parking))
		wake_some(rt);
}

struct filch_slot_ *search(struct worker *w)
{
	struct filch *rt = w->rt;
	struct filch_slot_ *item;

	group_settle(w);
	item = steal_again(w);
	if (item)
		return item;
	series_end(w);
	parking_search(&rt->parking);
	while (!item && !leaving(w)) {
		poison_others(w);
		/* Whom its own poller feeds finds nothing elsewhere in the time of a wake-up. */
		if (w->woken)
			item = look_around(w);
		if (!item)
			item = sleep_once(w);
		if (!item)
			item = own_item(w);
	}
	if (parking_found(&rt->parking))
		wake_next(w, item != NULL);
	series_begin(w);
	if (w->series.victim && forks_wanted(rt))
		/* On behalf of those who are still hungry: see fork.c. */
		poison_stack(load_seq(&w->series.victim->current));
	return item;
}
