/* SPDX-License-Identifier: MIT */
/* Tasks: what submit and run make of a function and its argument. */
#ifndef TASK_H
#define TASK_H

#include "worker.h"

/*
 * Submit, from this worker of rt or (NULL) from outside, counted against the runtime; the group may
 * be NULL.
 */
int task_submit(struct filch *rt, struct worker *in, filch_fn *fn, void *arg,
                struct filch_group *group);

/* filch_run() from where rt's own tasks do not run. */
int task_run(struct filch *rt, filch_fn *fn, void *arg);

/*
 * Count a task in, from this worker of rt or (NULL) from outside: 0, or -ESHUTDOWN. And back, if it
 * will not run after all. Neither looks at max_pending.
 */
int task_count_in(struct filch *rt, struct worker *in);
void task_take_back(struct filch *rt);

/* Was the task's group cancelled, or one that it is nested in, or its runtime? */
bool task_cancelled(struct stack *s);          /* cancel.c */
bool group_cancelled(const struct filch_group *g); /* group.c */

/*
 * Count a task in, before it can be found; on the worker (or NULL) that submits it. And n out.
 */
void group_count_in(struct filch_group *g, struct worker *in);
void group_count_out(struct filch_group *g, uint64_t n);

/* Count in HOLD tasks at once, before they are submitted. Not if somebody waits. */
bool group_reserve(struct filch_group *g);
bool group_awaited(const struct filch_group *g);

/*
 * A task of the group has finished on this worker; group.c counts it out when the worker does
 * something else.
 */
static inline void group_done(struct worker *w, struct filch_group *g)
{
	if (w->group != g)
		group_settle(w);
	w->group = g;
	w->finished++;
}

/*
 * Around a task, of this group or (NULL) of none, on the worker that runs it: it may end on another,
 * and is counted out there.
 */
static inline void task_begin(struct worker *w, filch_fn *fn, struct filch_group *group)
{
	struct stack *s = w->current;

	if (w->group != group)
		group_settle(w);
	store_relaxed(&s->task, fn); /* relaxed: the dump may read it at any time */
	s->group = group;
	s->origin = NULL;
}

static inline void task_end(struct worker *w, struct filch_group *group)
{
	w->current->group = NULL;
	/* Release: what the task admitted before its end. Pairs with the sums in runtime_quiet(). */
	store_release(&w->done, w->done + 1);
	if (group)
		group_done(w, group);
}

#endif
