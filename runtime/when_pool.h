/* SPDX-License-Identifier: MIT */
/*
 * Memory for what waits without a stack. Not that of tasks (node.h), whose blocks are free only
 * when all of their nodes are: one of these may wait for hours.
 */
#ifndef WHEN_POOL_H
#define WHEN_POOL_H

#include <stdint.h>

struct when;

struct whens { /* in hand of one worker */
	struct when *free; /* linked */
	unsigned count;
};

struct when_pool { /* one a runtime */
	uint64_t word; /* the lock: protects the rest; taken once for many */
	struct whens free;
	struct when *blocks; /* all memory, to be freed in the end */
};

/* In hand: of the calling worker, or NULL in a thread outside. NULL without memory. */
struct when *when_take(struct whens *in_hand, struct when_pool *pool);
void when_give(struct whens *in_hand, struct when_pool *pool, struct when *e);
void when_pool_destroy(struct when_pool *pool);

#endif
