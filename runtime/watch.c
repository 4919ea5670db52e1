/* SPDX-License-Identifier: MIT */
/*
 * A worker looks at its timers, its poller and its queues between two items. While an item computes
 * for long nobody does, so this thread ticks every few milliseconds, and for each worker that is
 * awake and still in the item of the last tick it
 *
 *	expires its timers and polls its poller: what became ready goes to an inbox, where a
 *	sleeper is woken for it;
 *	if somebody is hungry, takes what it holds back to an inbox, too (hold.c);
 *	and if something still waits behind it, and every worker is busy, asks the computation to
 *	make room: it poisons the words of the stack that runs there, and the next fork or join
 *	gives way (fork.c). So it does where a worker is to leave (resize.c).
 *
 * For what a worker has ready that has done only few items since the last tick a sleeper is woken: it
 * was not soon done with them after all (gather() in worker.c).
 *
 * And if somebody is hungry, and a task with private forks passes no fork or join between two looks a
 * millisecond apart, somebody may take them from it (raid.c).
 *
 * Forks wake nobody where there seem to be no CPUs for those who sleep. The watcher sees if there are some
 * after all (crowd.c), and a computation that has forks of others behind it is asked for room.
 *
 * So fork/join is preempted at its forks and joins, at no cost to them. A worker that was asked and
 * does not make room is stuck, and so is one that is away: the others take what waits behind it.
 *
 * It sleeps when every worker has slept for a while, so that idle is idle, and is roused by the
 * first that wakes up. Neither misses the other: the worker is awake (its claim is seq_cst) before
 * it reads state in watch_rouse(); the watcher writes SLEEPING before it looks at the workers once
 * more.
 */
#include "watch.h"

#include "crowd.h"
#include "futex.h"
#include "raid.h"
#include "steal.h"

enum { TICKING, SLEEPING, ENDED };

#define TICK     ((int64_t)5000000)  /* 5 ms: half a slice */
#define SLICE    ((int64_t)10000000) /* what a computation may use while something waits */
#define STILL    ((int64_t)1000000)  /* 1 ms without a fork or join: it computes */
#define PATIENCE 20                  /* ticks with all workers asleep before it sleeps too */

struct seen { /* of a worker, at the last tick */
	uint32_t tick;
	bool asked;    /* for room, in this item */
	int64_t since; /* when it was first seen in its present item */
	struct stack *stack; /* with private forks, or NULL */
	uint32_t changes;    /* of these */
};

static bool all_asleep(struct filch *rt)
{
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++) {
		if (!asleep(rt->worker[i]) && !away(rt->worker[i]))
			return false;
	}
	return true;
}

static bool all_busy(struct filch *rt)
{
	return !parking_hungry(&rt->parking);
}

static void ask_for_room(struct worker *w)
{
	store_seq(&w->yield, 1); /* before the poison that leads the computation here */
	poison_stack(load_seq(&w->current));
}

/* Does its deque have forks that the stack which it runs will not come to? A hint. */
static bool keeps_forks(struct worker *w)
{
	struct filch_slot_ *oldest = deque_oldest(&w->forks);

	/* Relaxed: a hint. */
	return oldest && slots_of(oldest) != load_relaxed(&load_seq(&w->current)->slots);
}

/* Does something wait for a CPU that nobody has asked a sleeper to help with? */
static bool must_wait(struct filch *rt, struct worker *w)
{
	return all_busy(rt) ? anything(rt, true, NULL) : !forks_wanted(rt) && keeps_forks(w);
}

static void look_after(struct filch *rt, struct worker *w, struct seen *seen, int64_t now)
{
	/* Relaxed: an old value makes it look stuck for one tick more. */
	uint32_t tick = load_relaxed(&w->tick);
	bool idle = asleep(w) || away(w);
	void *items[HOLD];

	if (!idle && (tick - seen->tick) * SOON < TICK && deque_size(&w->ready))
		wake_one(rt); /* it is not soon done with them after all: see gather() */
	if (idle || tick != seen->tick) {
		*seen = (struct seen){ .tick = tick, .since = now };
		store_relaxed(&w->stuck, away(w)); /* relaxed: a hint */
		return;
	}
	expire(&w->timers);
	if (poller_busy(w->poller))
		poller_poll(w->poller);
	if (!all_busy(rt))
		ready_all(rt, items, raid_held(w, items));
	if (leaving(w) || (now - seen->since >= SLICE && must_wait(rt, w))) {
		store_relaxed(&w->stuck, seen->asked); /* relaxed: a hint */
		seen->asked = true;
		ask_for_room(w);
	}
}

/* Somebody is hungry: who has private forks? */
static bool see_private(struct filch *rt, struct seen *seen, unsigned n)
{
	bool any = false;

	if (all_busy(rt))
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct stack *s = load_seq(&rt->worker[i]->current);

		seen[i].stack = raid_look(s, &seen[i].changes) ? s : NULL;
		any |= seen[i].stack != NULL;
	}
	return any;
}

/* A little later: from who was still since, they may be taken. */
static void free_private(struct filch *rt, struct seen *seen, unsigned n)
{
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		struct stack *s = seen[i].stack;

		any |= s && s == load_seq(&rt->worker[i]->current) &&
		       raid_allow(s, seen[i].changes);
	}
	if (any)
		wake_one(rt);
}

/* Every worker has slept for a while: sleep until one wakes up. */
static void sleep_too(struct filch *rt)
{
	uint32_t state = TICKING;

	if (!cas_seq(&rt->watch.state, &state, SLEEPING))
		return; /* it has ended */
	if (!all_asleep(rt))
		watch_rouse(rt);
	while (load_seq(&rt->watch.state) == SLEEPING)
		futex_wait(&rt->watch.state, SLEEPING, FILCH_NEVER);
}

static int64_t tell_time(struct filch *rt)
{
	int64_t now = filch_now();

	store_relaxed(&rt->watch.now, now); /* relaxed: a time */
	return now;
}

static void *watch_main(void *runtime)
{
	struct filch *rt = runtime;
	struct seen seen[MAX_WORKERS] = { { 0 } };
	struct usage usage = { 0 };
	unsigned quiet = 0;

	pthread_setname_np(pthread_self(), "filch-watch");
	while (load_seq(&rt->watch.state) != ENDED) {
		int64_t now = tell_time(rt);
		unsigned n = load_seq(&rt->known), stuck = 0;
		bool private;

		for (unsigned i = 0; i < n; i++) {
			look_after(rt, rt->worker[i], &seen[i], now);
			stuck += load_relaxed(&rt->worker[i]->stuck); /* relaxed: a hint */
		}
		store_relaxed(&rt->stuck, stuck); /* relaxed: a hint */
		quiet = all_asleep(rt) ? quiet + 1 : 0;
		if (quiet > PATIENCE) {
			sleep_too(rt);
			now = tell_time(rt);
			quiet = 0;
		}
		private = see_private(rt, seen, n);
		see_usage(rt, &usage, private);
		if (private) {
			futex_wait(&rt->watch.state, TICKING, filch_after(STILL));
			free_private(rt, seen, n);
		}
		futex_wait(&rt->watch.state, TICKING, now + TICK);
	}
	return NULL;
}

int watch_start(struct filch *rt)
{
	tell_time(rt);
	return thread_create(&rt->watch.thread, watch_main, rt);
}

void watch_rouse(struct filch *rt)
{
	uint32_t state = SLEEPING;

	/* A CAS: it may have ended meanwhile. */
	if (load_seq(&rt->watch.state) == SLEEPING && cas_seq(&rt->watch.state, &state, TICKING)) {
		tell_time(rt);
		futex_wake(&rt->watch.state, 1);
	}
}

void watch_stop(struct filch *rt)
{
	store_seq(&rt->watch.state, ENDED);
	futex_wake(&rt->watch.state, 1);
	pthread_join(rt->watch.thread, NULL);
}
