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

/*
 * A task of the group has finished on this worker; group.c counts it out when the worker does
 * something else.
 */
void group_done(struct worker *w, struct filch_group *g);

#endif
