/* SPDX-License-Identifier: MIT */
/*
 * More workers than CPUs. Then somebody always sleeps, and to wake him for a fork, or to publish one for
 * him, takes the CPU from who has it: for a short fork that costs ten times what the fork does. But those
 * who run the forks may wait in system calls, which is why a program has so many workers, and then their
 * CPUs are his. So who sleeps counts as hungry for forks
 *
 *	if fewer workers are awake than there are CPUs;
 *	or if workers are bound to CPUs: his may be free whoever else computes;
 *	or if forks take long, as those do that wait: waking somebody costs little beside them.
 *
 * How long they take is found by thieves. One who has taken forks from one worker, without a search in
 * between, knows how many and since when, and says long or short; long_forks counts up or down, and what
 * most have said holds.
 *
 * If nobody says anything, since each worker that is awake sits in a fork that waits, or in something
 * else, the watcher finds a CPU unused though there are forks, and says long for them all. (Where other
 * processes use that CPU, or a quota forbids it, this is wrong, and forks cost what they would if every
 * sleeper counted.)
 *
 * A fork that wakes nobody is not lost: its owner is awake and comes to it (park.c); where that one
 * computes something else before, the watcher asks it for room (watch.c). Why nobody who begins to count
 * is overlooked is in fork.c.
 */
#include "crowd.h"

#include <time.h>

#include "steal.h"

#define LONG        ((int64_t)20000)    /* ns for a fork: several times what waking somebody takes */
#define SPAN        ((int64_t)50000000) /* ns in which a CPU is found unused */
#define KERNEL_TICK ((int64_t)10000000) /* ns, at most: so old is what Linux says of a running thread */

/* With a worker for each CPU nobody asks. */
static bool crowded(const struct filch *rt)
{
	return load_seq(&rt->active) > rt->cpus;
}

void series_begin(struct worker *w)
{
	struct series *s = &w->series;

	s->thefts = 1;
	s->looked = load_relaxed(&w->rt->watch.now); /* relaxed: a time */
	s->since = s->victim && crowded(w->rt) ? filch_now() : 0;
	s->tick = w->tick;
}

/* Two who say something at once may count as one. */
static void say(struct filch *rt, bool forks_are_long)
{
	uint32_t n = load_seq(&rt->long_forks);

	if (forks_are_long && n < LONG_FORKS)
		store_seq(&rt->long_forks, n + 1);
	else if (!forks_are_long && n)
		store_seq(&rt->long_forks, n - 1);
}

/* Who has done much else meanwhile says nothing. */
void series_end(struct worker *w)
{
	struct series *s = &w->series;

	if (s->since && w->tick - s->tick <= 2 * s->thefts + 2)
		say(w->rt, filch_now() - s->since > s->thefts * LONG);
	s->victim = NULL;
}

static int64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

/* Has the process left half a CPU or more unused since then, as far as one can tell? */
static bool left_unused(const struct filch *rt, const struct usage *u, int64_t span)
{
	return cpu_time() - u->cpu + rt->cpus * KERNEL_TICK < rt->cpus * span - span / 2;
}

void see_usage(struct filch *rt, struct usage *u, bool private)
{
	int64_t now = filch_now();

	if (!parking_hungry(&rt->parking) || forks_wanted(rt) || !(private || any_forks(rt))) {
		u->since = 0;
		return;
	}
	if (u->since && now - u->since < SPAN)
		return;
	if (u->since && left_unused(rt, u, now - u->since)) {
		store_seq(&rt->long_forks, LONG_FORKS);
		wake_one(rt);
	}
	*u = (struct usage){ .since = now, .cpu = cpu_time() };
}
