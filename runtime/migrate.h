/* SPDX-License-Identifier: MIT */
/*
 * Which worker's poller watches what tasks without a stack wait for. The argument is in migrate.c.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "worker.h"

#define MOVES 8 /* of a worker, in a tick of the watcher */

struct descriptor;

/* Its poller has woken w: should its waits be with somebody who is at work anyway? */
void migrate_together(struct worker *w);

/* As it looks at everything: has w so much to do that somebody else should have some of its waits? */
void migrate_apart(struct worker *w);

/* A wait of one of w's tasks is about to begin. True: the item was moved, and begins it elsewhere. */
bool migrate(struct worker *w, struct descriptor *d, int fd, struct filch_slot_ *item);

/* What was moved to w: into its ready queue, by w itself. */
void migrate_arrive(struct worker *w);

/* w sleeps, or is busy: what was moved to it goes where everybody looks. By anybody. */
void migrate_return(struct filch *rt, struct worker *w);

#endif
