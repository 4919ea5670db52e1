/* SPDX-License-Identifier: MIT */
/*
 * Fork and join: the functions behind FILCH_TASK are declared in filch_task.h, publish_private() in
 * worker.h. Here is the serial elision, in which every fork runs at its join.
 */
#ifndef FORK_H
#define FORK_H

#include "worker.h"

#define MOST    64   /* forks to publish, or to take in a raid, at once */
#define RUNNING NULL /* a slot's state, published and not finished, and nobody waits for it */

/* Run a slot without a runtime. */
void run_serial(struct filch_slot_ *slot);

/* The words that a slot's task is to use if it runs serially, or NULL. */
struct filch_stack_ *serial_of(struct filch_slot_ *slot);
bool serial_words(struct filch_stack_ *words);

#endif
