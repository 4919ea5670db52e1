/* SPDX-License-Identifier: MIT */
/*
 * Somebody who waits: what wait.c does with it is said there. Each stack has one, since a task
 * waits for one thing at a time.
 */
#ifndef WAITER_H
#define WAITER_H

#include "timer.h"

/*
 * JOINING: its stack waits for a fork, and not as a waiter (fork.c). HELD: it is on its way into a wait, or looked at by cancel.c; whoever wants to end the wait stands
 * by. Whoever is not in a wait is IDLE or WOKEN, or CLAIMED_WAITER and on its way out of one.
 */
enum { IDLE, JOINING, HELD, WAITING, CLAIMED_WAITER, WOKEN };

/* What for. Those up to FOR_POLL can be cancelled. */
enum {
	FOR_TIME,
	FOR_COND,
	FOR_SEM,
	FOR_SEND,
	FOR_RECV,
	FOR_READING,
	FOR_WRITING,
	FOR_POLL,
	FOR_MUTEX,
	FOR_GROUP,
	FOR_RUN,
	FOR_STOP,
	FOR_BLOCK, /* value: the job */
	FOR_JOB,
	FOR_EVENT,
};

struct waiter {
	struct waiter *next, *prev;
	/* WAITING until somebody claims it; a thread sleeps on it until WOKEN. */
	uint32_t state;
	int result;   /* what its wait answers; the claimer's to write */
	union {
		int refusal;     /* why it must not begin: -ETIMEDOUT, -ENOMEM, -ECANCELED */
		uint32_t closes; /* FOR_EVENT: of the descriptor, at its submission */
	};
	bool listed;  /* in a list: protected by the list's lock */
	uint8_t what; /* FOR_TIME, ...; FOR_EVENT: it lies in a struct when */
	short events; /* FOR_EVENT: of poll(2) */
	union {
		struct stack *stack; /* who waits; NULL: a thread */
		struct filch *rt;    /* FOR_EVENT: whose worker is to run it */
	};
	void *value; /* the object's: what is handed over */
	struct timer timer;
};

#endif
