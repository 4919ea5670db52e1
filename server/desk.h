/* SPDX-License-Identifier: MIT */
/*
 * What a connection needs while it is served, and not while it waits for the next request. The desk
 * that was left last is taken first, so a few of them, warm in the caches, serve everybody; in the
 * long run no request allocates anything.
 */
#ifndef DESK_H
#define DESK_H

#include <filch.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "request.h"

#define DESK_PARTS 64 /* one for each worker, so that they do not meet */

struct desk {
	struct request request;
	struct buffer in;  /* from start on: the request that is coming in, and what follows it */
	struct buffer out; /* answers to be sent */
	size_t start;
	size_t answered; /* not yet in the server's count */
	int64_t arrived; /* the bytes that are being answered; only for the log */
	struct desk *next;
};

struct desks {
	struct desk_part {
		_Alignas(64) filch_mutex lock; /* protects the rest; only tried */
		struct desk *free;
		unsigned count;
	} part[DESK_PARTS];
};

struct desk *desk_take(struct desks *all, const struct request_limits *limits); /* or NULL */
void desk_give(struct desks *all, struct desk *d);

#endif
