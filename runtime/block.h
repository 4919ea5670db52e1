/* SPDX-License-Identifier: MIT */
/* Threads beside the workers, for functions that block: filch_block. */
#ifndef BLOCK_H
#define BLOCK_H

#include <pthread.h>

#include "waiter.h"

struct filch;
struct stack;

struct job { /* lies on the stack of the task, which waits for it */
	void (*fn)(void *arg);
	void *arg;
	struct job *next;
	struct stack *stack;
	struct waiter waiter; /* for what fn waits for: one thing at a time */
};

struct blocking { /* one a runtime */
	uint64_t word; /* the lock: protects all of this */
	void *idle;    /* threads that wait for a job */
	struct job *first, *last; /* jobs that wait for a thread: then all threads have one */
	unsigned threads, most;
	bool ended;
	bool any_left;  /* the last thread that went away is still to be joined */
	pthread_t left; /* by the next one */
};

/* The job that the calling thread runs, or NULL. */
struct job *job_here(void);
void job_forget(void); /* in a child of fork(2) */

/* When no job is left: wait for the threads to go away. */
void block_stop(struct blocking *b);

#endif
