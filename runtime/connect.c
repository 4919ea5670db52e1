/* SPDX-License-Identifier: MIT */
/* Connections: made, and taken. */
#include <fcntl.h>
#include <poll.h>

#include "call.h"
#include "include/filch.h"

/* Between attempts to connect to a local socket whose backlog is full. */
#define BACKLOG_PAUSE ((int64_t)1000000)

static ssize_t just_accept(struct call *c)
{
	return accept4(c->fd, c->address, c->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/*
 * accept4(2) makes a socket and a file before it finds that nobody is there, and most often one
 * client comes at a time: so poll(2) is asked first, which takes a sixteenth of that. The first
 * call goes without, for its errors.
 */
static bool nobody_there(struct call *c)
{
	/* Relaxed: a hint. */
	return load_relaxed(&c->d->accepts) && !descriptor_ready_for(c->d, c->fd, POLLIN);
}

ATTEMPT try_accept(struct call *c)
{
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	bool blocks = !load_relaxed(&c->d->nonblocking); /* relaxed: see descriptor_kind() */
	ssize_t n = -EAGAIN;

	if (blocks)
		n = outcome(call_if_ready(c, POLLIN, just_accept), saved);
	else if (!nobody_there(c))
		n = outcome(just_accept(c), saved);
	c->more = true;
	if ((n >= 0 || n == -EAGAIN) && !load_relaxed(&c->d->accepts)) /* relaxed: a hint */
		store_relaxed(&c->d->accepts, (uint8_t)1); /* relaxed: the same */
	if (n >= 0)
		descriptor_made((int)n, kind, true);
	return n;
}

int filch_accept(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline)
{
	return (int)call_perform(READING, try_accept,
	                         &(struct call){ .fd = fd, .address = addr, .length = len },
	                         deadline);
}

/*
 * connect(2) on a socket that does not block, as this one is again after the call if it was before.
 */
static int connect_now(struct call *c)
{
	int flags = fcntl(c->fd, F_GETFL), result, error;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK))
		fcntl(c->fd, F_SETFL, flags | O_NONBLOCK);
	result = connect(c->fd, c->address, *c->length);
	error = errno;
	if (!(flags & O_NONBLOCK))
		fcntl(c->fd, F_SETFL, flags);
	return result ? -error : 0;
}

ATTEMPT try_connect(struct call *c)
{
	int saved = errno, result = connect_now(c);

	errno = saved;
	if (result == -EINPROGRESS || result == -EALREADY)
		return -EAGAIN;
	if (result == -EAGAIN)
		/* A local socket's backlog is full, and no event tells when it is not. */
		return -EBUSY;
	return result == -EISCONN && c->again ? 0 : result;
}

int filch_connect(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline)
{
	for (;;) {
		struct call c = { .fd = fd,
			          .address = (struct sockaddr *)(uintptr_t)addr,
			          .length = &len };
		int result = (int)call_perform(WRITING, try_connect, &c, deadline);

		if (result != -EBUSY)
			return result;
		if (filch_now() >= deadline)
			return -ETIMEDOUT;
		result = filch_sleep_until(filch_after(BACKLOG_PAUSE));
		if (result)
			return result;
	}
}
