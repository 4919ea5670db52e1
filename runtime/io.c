/* SPDX-License-Identifier: MIT */
/*
 * Calls on descriptors: attempt without blocking; wait if there is nothing to be done; attempt again.
 *
 * Attempts are functions of their own, never inlined, since each uses errno, whose address must not be kept across a wait:
 * the task may go on in another thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "descriptor.h"
#include "worker.h"

#define ATTEMPT static __attribute__((noinline)) ssize_t
#define BACKLOG_PAUSE ((int64_t)1000000) /* between attempts to connect to a local socket whose backlog is full */

struct call {
	int fd, flags;
	struct descriptor *d;
	const void *out; /* what to write */
	void *in;        /* where to read to, or where an accepted address goes */
	size_t n;
	socklen_t *length;
	bool again; /* not the first attempt */
	bool more;  /* there may be more to be had without another event */
};

/* The result of a system call as ours, with errno as it was before. */
static inline ssize_t outcome(ssize_t n, int saved)
{
	ssize_t result = n < 0 ? -(ssize_t)errno : n;

	errno = saved;
	return result;
}

static ssize_t perform(int side, ssize_t (*attempt)(struct call *), struct call *c, int64_t deadline)
{
	int late = 0, error = -EBADF;
	uint64_t used;
	bool wait;
	ssize_t n;

	c->d = descriptor_enter(c->fd, &error);
	if (!c->d)
		return error;
	wait = side == READING && !descriptor_may(c->d, side);
	do {
		late = wait ? descriptor_wait(c->d, c->fd, side, deadline) : 0;
		n = late;
		used = 0;
		if (late && late != -ETIMEDOUT)
			break;
		used = descriptor_use(c->d, side);
		n = attempt(c); /* what is ready is ready, even when the deadline has passed */
		wait = c->again = true;
	} while (n == -EAGAIN && !late);
	if (n == -EAGAIN)
		n = -ETIMEDOUT;
	else if (c->more || n < 0 || used & EAGER)
		descriptor_more(c->d, side, used);
	descriptor_leave(c->d, c->fd);
	return n;
}

/* ---- reading ---- */

/* A stream that gave less than was asked for is empty; anything else may have more. */
static void note_more(struct call *c, ssize_t n)
{
	c->more = n == (ssize_t)c->n || descriptor_kind(c->d, c->fd) != STREAM_SOCKET;
}

ATTEMPT try_recv(struct call *c)
{
	int saved = errno;
	ssize_t n = outcome(recv(c->fd, c->in, c->n, c->flags | MSG_DONTWAIT), saved);

	note_more(c, n);
	c->more |= c->flags & MSG_PEEK;
	return n;
}

ssize_t filch_recv(int fd, void *buf, size_t n, int flags, int64_t deadline)
{
	return perform(READING, try_recv, &(struct call){ .fd = fd, .in = buf, .n = n, .flags = flags }, deadline);
}

/* Would the call block? For what knows no RWF_NOWAIT. */
static bool ready_now(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) > 0;
}

/* Does this error of preadv2 or pwritev2 say that the descriptor, or the kernel, has no RWF_NOWAIT? */
static bool unknown(ssize_t n)
{
	return n == -EOPNOTSUPP || n == -ENOSYS || n == -EINVAL;
}

ATTEMPT try_read(struct call *c)
{
	struct iovec iov = { .iov_base = c->in, .iov_len = c->n };
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	ssize_t n;

	if (kind == STREAM_SOCKET || kind == OTHER_SOCKET)
		return try_recv(c);
	c->more = true;
	if (kind == REGULAR)
		return outcome(read(c->fd, c->in, c->n), saved);
	n = outcome(preadv2(c->fd, &iov, 1, -1, RWF_NOWAIT), saved);
	if (!unknown(n))
		return n;
	return ready_now(c->fd, POLLIN) ? outcome(read(c->fd, c->in, c->n), saved) : -EAGAIN;
}

ssize_t filch_read(int fd, void *buf, size_t n, int64_t deadline)
{
	return perform(READING, try_read, &(struct call){ .fd = fd, .in = buf, .n = n }, deadline);
}

/* ---- writing ---- */

ATTEMPT try_send(struct call *c)
{
	int saved = errno;

	return outcome(send(c->fd, c->out, c->n, c->flags | MSG_DONTWAIT | MSG_NOSIGNAL), saved);
}

ssize_t filch_send(int fd, const void *buf, size_t n, int flags, int64_t deadline)
{
	return perform(WRITING, try_send, &(struct call){ .fd = fd, .out = buf, .n = n, .flags = flags }, deadline);
}

ATTEMPT try_write(struct call *c)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)c->out, .iov_len = c->n };
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	ssize_t n;

	if (kind == STREAM_SOCKET || kind == OTHER_SOCKET)
		return try_send(c);
	if (kind == REGULAR)
		return outcome(write(c->fd, c->out, c->n), saved);
	n = outcome(pwritev2(c->fd, &iov, 1, -1, RWF_NOWAIT), saved);
	if (!unknown(n))
		return n;
	if (!ready_now(c->fd, POLLOUT))
		return -EAGAIN;
	/* That much a pipe takes at once when it is ready at all, even one that blocks. */
	return outcome(write(c->fd, c->out, c->n < PIPE_BUF ? c->n : PIPE_BUF), saved);
}

ssize_t filch_write(int fd, const void *buf, size_t n, int64_t deadline)
{
	return perform(WRITING, try_write, &(struct call){ .fd = fd, .out = buf, .n = n }, deadline);
}

/* ---- connections ---- */

ATTEMPT try_accept(struct call *c)
{
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	ssize_t n;

	c->more = true;
	/* Relaxed: written once, before this. A listener that blocks is asked first. */
	if (!load_relaxed(&c->d->nonblocking) && !ready_now(c->fd, POLLIN)) {
		errno = saved;
		return -EAGAIN;
	}
	n = outcome(accept4(c->fd, c->in, c->length, SOCK_NONBLOCK | SOCK_CLOEXEC), saved);
	if (n >= 0)
		descriptor_made((int)n, kind, true);
	return n;
}

int filch_accept(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline)
{
	return (int)perform(READING, try_accept, &(struct call){ .fd = fd, .in = addr, .length = len }, deadline);
}

/* connect(2) on a socket that does not block, as this one is again after the call if it was before. */
static int connect_now(struct call *c)
{
	int flags = fcntl(c->fd, F_GETFL), result, error;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK))
		fcntl(c->fd, F_SETFL, flags | O_NONBLOCK);
	result = connect(c->fd, c->out, (socklen_t)c->n);
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
		return -EBUSY; /* a local socket's backlog is full, and no event tells when it is not */
	return result == -EISCONN && c->again ? 0 : result;
}

int filch_connect(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline)
{
	for (;;) {
		struct call c = { .fd = fd, .out = addr, .n = len };
		int result = (int)perform(WRITING, try_connect, &c, deadline);

		if (result != -EBUSY)
			return result;
		if (filch_now() >= deadline)
			return -ETIMEDOUT;
		result = filch_sleep_until(filch_after(BACKLOG_PAUSE));
		if (result)
			return result;
	}
}
