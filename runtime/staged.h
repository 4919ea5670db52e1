/* SPDX-License-Identifier: MIT */
/*
 * Bytes that a poller has received for a stream ahead of the reads: a queue of its buffers, each
 * lent until it is empty. Under the lock of the descriptor's reading side.
 */
#ifndef STAGED_H
#define STAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct buffer;

struct lender {
	void (*give)(struct buffer *b); /* it back, from any thread */
};

struct buffer {
	struct buffer *next;
	struct lender *lender;
	char *bytes;
	unsigned from, to; /* what is in it and not yet read */
};

struct staged {
	struct buffer *first, *last;
	unsigned count; /* of buffers */
	int error;      /* that comes after the bytes, or 0 */
};

void staged_add(struct staged *s, struct buffer *b, unsigned n);

/* Into the vector, and out of the queue unless it is only looked at (MSG_PEEK). How many. */
size_t staged_take(struct staged *s, const struct msghdr *to, int flags);

/* Give everything back unread. */
void staged_drop(struct staged *s);

#endif
