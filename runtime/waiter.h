/* SPDX-License-Identifier: MIT */
/*
 * Somebody who waits: what wait.c does with it is said there. Each stack has one, since a task
 * waits for one thing at a time.
 */
#ifndef WAITER_H
#define WAITER_H

#include "timer.h"

/* Whoever is not in a wait is IDLE or WOKEN, or CLAIMED_WAITER and on its way out of one. */
enum { IDLE, WAITING, CLAIMED_WAITER, WOKEN };

/* What for. */
enum { FOR_ANYTHING, FOR_EVENT };

struct waiter {
	struct waiter *next, *prev;
	/* WAITING until somebody claims it; a thread sleeps on it until WOKEN. */
	uint32_t state;
	int result;   /* what its wait answers; the claimer's to write */
	union {
		int refusal;     /* why it must not begin: -ETIMEDOUT, -ENOMEM */
		uint32_t closes; /* FOR_EVENT: of the descriptor, at its submission */
	};
	bool listed;  /* in a list: protected by the list's lock */
	uint8_t what; /* FOR_EVENT: it lies in a struct when */
	short events; /* FOR_EVENT: of poll(2) */
	union {
		struct stack *stack; /* who waits; NULL: a thread */
		struct filch *rt;    /* FOR_EVENT: whose worker is to run it */
	};
	void *value; /* the object's: what is handed over */
	struct timer timer;
};

#endif
