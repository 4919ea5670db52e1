/* SPDX-License-Identifier: MIT */
/*
 * Calls on descriptors: attempt without blocking; wait if there is nothing to be done; attempt
 * again.
 *
 * Attempts are functions of their own, never inlined, since each uses errno, whose address must not
 * be kept across a wait: the task may go on in another thread.
 */
#ifndef CALL_H
#define CALL_H

#include <errno.h>

#include "descriptor.h"

#define ATTEMPT static __attribute__((noinline)) ssize_t

struct call {
	int fd, flags;
	struct descriptor *d;
	struct iovec *iov; /* where to read to, or what to write */
	size_t count;      /* of these */
	struct msghdr *message;
	struct sockaddr *address; /* to connect to, or where an accepted one goes */
	socklen_t *length;
	size_t n; /* bytes to send from this file */
	int file;
	off_t *offset;
	short events; /* to wait for */
	bool again;   /* not the first attempt */
	bool more;    /* there may be more to be had without another event */
	bool here;    /* what is read was received ahead of the call */
};

/* The result of a system call as ours, with errno as it was before. */
static inline ssize_t outcome(ssize_t n, int saved)
{
	ssize_t result = n < 0 ? -(ssize_t)errno : n;

	errno = saved;
	return result;
}

/* Its result, or -ETIMEDOUT, -ECANCELED, or why there is no waiting. */
ssize_t call_perform(int side, ssize_t (*attempt)(struct call *), struct call *c, int64_t deadline);

/*
 * In an attempt: look and call as one step, for what would block if another task took what was
 * there in between. EITHER's lock is held across the calls: those who use such a descriptor at the
 * same time wait, and who brings it an event.
 */
ssize_t call_if_ready(struct call *c, short events, ssize_t (*call)(struct call *));

#endif
