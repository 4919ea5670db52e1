/* SPDX-License-Identifier: MIT */
/*
 * The buffers of an io_uring that all streams received by it share: see buffers.c.
 */
#ifndef BUFFERS_H
#define BUFFERS_H

#if defined(__has_include)
#if __has_include(<liburing.h>)
#define WITH_URING 1
#endif
#endif

#include "staged.h"

#ifdef WITH_URING
#include <liburing.h>

#define BUFFER_GROUP 0 /* the only one of a ring */

struct pool;

/* 0 or an error. */
int pool_new(struct pool **pool, struct io_uring *ring);

/* The poller is done with it. */
void pool_leave(struct pool *pool);

/* The buffer that a completion names, or NULL. */
struct buffer *lend(struct pool *pool, const struct io_uring_cqe *cqe);

#endif
#endif
