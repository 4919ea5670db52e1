/* SPDX-License-Identifier: MIT */
/*
 * Counters: each has one writer, and is read here without order, so a total is as exact as the
 * moment is.
 */
#include <errno.h>
#include <string.h>

#include "worker.h"

static void add(struct filch_stats *out, const struct worker *w)
{
	const struct filch_stats *s = &w->stats;

	/* Relaxed: statistics; pair with count_up(). */
	out->tasks += load_relaxed(&w->done);
	out->published += load_relaxed(&s->published);
	out->steals += load_relaxed(&s->steals);
	out->steal_misses += load_relaxed(&s->steal_misses);
	/* Relaxed: as above. */
	out->parks += load_relaxed(&s->parks);
	out->wakes += load_relaxed(&s->wakes);
	out->waits += load_relaxed(&s->waits);
}

/* What is done is read before what was admitted, so that the difference errs upwards. */
static uint64_t pending(filch *rt)
{
	uint64_t done = load_seq(&rt->refused), admitted;
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++)
		done += load_seq(&rt->worker[i]->done);
	admitted = load_seq(&rt->foreign_admitted);
	n = load_seq(&rt->known); /* again: a new worker's tasks must not be missed here */
	for (unsigned i = 0; i < n; i++) {
		admitted += load_seq(&rt->worker[i]->admitted);
		for (int j = 0; j < PORTS; j++)
			admitted += port_admitted(&rt->worker[i]->port[j]);
	}
	return admitted - done;
}

/*
 * Nothing is pending: there was a moment, between the two readings above, in which as many tasks
 * were done as admitted, since both only grow. When rt is stopping that is for good: only tasks
 * admit then.
 */
bool runtime_quiet(struct filch *rt)
{
	return pending(rt) == 0;
}

/* Admitted, but not yet ready to run: these are not pending. */
static uint64_t waiting(filch *rt)
{
	uint64_t begun = 0, ended = 0;
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++) {
		/* Relaxed: statistics. */
		ended += load_relaxed(&rt->worker[i]->whens_ended);
		begun += load_relaxed(&rt->worker[i]->whens_begun);
	}
	return begun > ended ? begun - ended : 0;
}

int filch_stats(filch *rt, int worker, struct filch_stats *out)
{
	int n;

	if (!rt || !out || worker < -1 || worker >= (int)filch_workers(rt))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	n = (int)load_seq(&rt->known); /* also those that have left: a total never falls */
	for (int i = 0; i < n; i++) {
		if (worker == -1 || worker == i)
			add(out, rt->worker[i]);
	}
	if (worker == -1) {
		uint64_t idle = waiting(rt), all = pending(rt);

		out->pending = all > idle ? all - idle : 0;
		out->reserved[0] = rt->pollers != &poller_epoll;
		out->stacks = load_relaxed(&rt->stacks.count); /* relaxed: a statistic */
	}
	return 0;
}

unsigned filch_workers(const filch *rt)
{
	return rt ? load_seq(&rt->active) : 0;
}

int filch_worker(void)
{
	struct worker *w = worker_here();

	return w ? (int)w->index : -1;
}

int filch_version(void)
{
	return FILCH_VERSION;
}
