/* SPDX-License-Identifier: MIT */
/*
 * Stacks: memory to run on, and what belongs to whatever runs there.
 *
 * The record lies at the high end of the stack's own memory, so that a task that waits touches one
 * page. Records live until the runtime is freed: an idle worker may write to the words of a stack
 * that is in use no more, and does no harm.
 */
#ifndef STACK_H
#define STACK_H

#include <pthread.h>

#include "item.h"
#include "slots.h"
#include "waiter.h"

struct stack {
	struct filch_stack_ words; /* first: frames point to it */
	void *sp;                  /* where its registers are saved, while it does not run */
	struct filch *rt;
	struct stack *next; /* in a list of spare stacks */
	char *low;          /* the lowest usable byte, and how many there are */
	size_t size;
	void (*entry)(struct stack *); /* what a new one begins with */
	struct slots *slots;           /* its slots for forks, from its first frame on */
	struct filch_slot_ *split;     /* slots below it are published */
	uint32_t changes;              /* of split by its owner; odd while one is made: see fork.c */
	uint32_t raid;                 /* somebody else makes one: 0, or his number and how far he is */
	uint32_t still;                /* how many there were as it was found computing: see watch.c */
	uint32_t gave_way;             /* it computes for long, and has made room for others */
	unsigned frames;               /* runs of forking tasks on it, one nested in the other */
	struct filch_slot_ *origin;    /* the fork of another stack that runs here, or NULL */
	filch_fn *task;             /* the function of the task that runs here */
	struct filch_group *group;     /* of the task that runs here */
	struct waiter waiter;          /* its waits: one at a time */
	const void *object;            /* and for the dump: what it waits for, */
	int64_t since;                 /* since when, by the watcher's clock */
	void *fake;                    /* AddressSanitizer's fake stack, while it does not run */
	void *fiber;                   /* ThreadSanitizer's idea of it */
	unsigned valgrind;             /* valgrind's */
	struct filch_slot_ item;       /* itself, when it may go on */
};

/* Where the stacks of a runtime come from. */
struct stacks {
	pthread_mutex_t lock; /* protects all of this; taken once for a batch of stacks */
	struct slab *slabs;
	char *next, *end; /* what is left of the newest slab */
	size_t size;      /* of one stack with its guard and its record */
	struct stack *free;
	uint64_t count;
};

#define STACK_BATCH 32

int stacks_init(struct stacks *pool, size_t stack_size);
void stacks_destroy(struct stacks *pool);

/*
 * Up to STACK_BATCH recycled stacks, or a new one, which begins in entry(stack); linked by next.
 * NULL without memory.
 */
struct stack *stacks_get(struct stacks *pool, void (*entry)(struct stack *));
/* Every stack there is, in use or not. Some may be made meanwhile, and are left out. */
void stacks_each(struct stacks *pool, void (*visit)(struct stack *s, void *arg), void *arg);

void stacks_put(struct stacks *pool, struct stack *list);

/* A thread's own stack, so that it can be switched away from and back to. */
void stack_adopt_thread(struct stack *s);

/*
 * Leave from, go on in to. Returns when somebody switches back to from, perhaps in another thread:
 * what was read through a thread-local before is stale.
 */
void stack_switch(struct stack *from, struct stack *to);

static inline struct stack *stack_of(struct filch_stack_ *words)
{
	return container_of(words, struct stack, words);
}

/* Where the task began that runs on a stack: it is another one's if a fork of that runs here. */
static inline struct stack *root_of(struct stack *s)
{
	while (s->origin)
		s = slots_of(s->origin)->owner;
	return s;
}

static inline struct filch_group *group_of(struct stack *s)
{
	return root_of(s)->group;
}

#endif
