/* SPDX-License-Identifier: MIT */
/*
 * Somebody who waits: what wait.c does with it is said there. Each stack has one, since a task
 * waits for one thing at a time.
 */
#ifndef WAITER_H
#define WAITER_H

#include "timer.h"

enum { WAITING, CLAIMED_WAITER, WOKEN };

struct waiter {
	struct waiter *next, *prev;
	/* WAITING until somebody claims it; a thread sleeps on it until WOKEN. */
	uint32_t state;
	int result;          /* what its wait answers; the claimer's to write */
	int refusal;         /* why it must not begin: -ETIMEDOUT, -ENOMEM */
	bool listed;         /* in a list: protected by the list's lock */
	struct stack *stack; /* who waits; NULL: a thread */
	void *value;         /* the object's: what is handed over */
	struct timer timer;
};

#endif
