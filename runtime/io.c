/* SPDX-License-Identifier: MIT */
/* Reading and writing. */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "call.h"
#include "worker.h"

/* ---- reading ---- */

/*
 * Urgent bytes and reports of errors are no part of what else is read. Whoever waits for them does
 * so in EITHER, for POLLPRI, and errors come in any case.
 */
#define BESIDE (MSG_OOB | MSG_ERRQUEUE)

static int side_of(int flags)
{
	return flags & BESIDE ? EITHER : READING;
}

/* One message with the vector of the call, for those that bring none. */
static struct msghdr message_of(struct call *c)
{
	return c->message ? *c->message
	                  : (struct msghdr){ .msg_iov = c->iov, .msg_iovlen = c->count };
}

ATTEMPT just_recv(void *call)
{
	struct call *c = call;
	int saved = errno;

	c->here = false;
	return outcome(recv(c->fd, c->iov->iov_base, c->iov->iov_len, c->flags | MSG_DONTWAIT),
	               saved);
}

ATTEMPT just_recvmsg(void *call)
{
	struct call *c = call;
	struct msghdr message = message_of(c);
	int saved = errno;
	ssize_t n = outcome(recvmsg(c->fd, &message, c->flags | MSG_DONTWAIT), saved);

	c->here = false;
	if (c->message && n >= 0)
		*c->message = message;
	return n;
}

/*
 * Of a stream what was received ahead comes first. Who only takes messages may want what comes
 * beside the bytes, which a receiver drops.
 */
static ssize_t receive(struct call *c, ssize_t (*just)(void *))
{
	struct msghdr to = { .msg_iov = c->iov, .msg_iovlen = c->count };
	ssize_t n;

	if (c->flags & MSG_OOB)
		descriptor_be_eager(c->d);
	if (descriptor_kind(c->d, c->fd) != STREAM_SOCKET || c->flags & BESIDE) {
		c->more = true;
		return just(c);
	}
	/* Relaxed: this call reads it again, others have set it too or do not need it. */
	if (!c->message && !load_relaxed(&c->d->reads))
		store_relaxed(&c->d->reads, (uint8_t)1);
	c->here = true;
	n = descriptor_read(c->d, &to, c->flags, just, c, &c->more);
	if (c->message && c->here && n > 0)
		c->message->msg_namelen = c->message->msg_controllen = c->message->msg_flags = 0;
	return n;
}

ATTEMPT try_recv(struct call *c)
{
	return receive(c, just_recv);
}

ATTEMPT try_recvmsg(struct call *c)
{
	return receive(c, just_recvmsg);
}

ssize_t filch_recv(int fd, void *buf, size_t n, int flags, int64_t deadline)
{
	struct iovec iov = { buf, n };
	struct call c = { .fd = fd, .iov = &iov, .count = 1, .flags = flags, .events = POLLPRI };

	return call_perform(side_of(flags), try_recv, &c, deadline);
}

ssize_t filch_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline)
{
	struct call c = { .fd = fd,
		          .message = message,
		          .flags = flags,
		          .events = POLLPRI,
		          .iov = message->msg_iov,
		          .count = message->msg_iovlen };

	return call_perform(side_of(flags), try_recvmsg, &c, deadline);
}

/*
 * Does this error of preadv2 or pwritev2 say that the descriptor, or the kernel, has no RWF_NOWAIT?
 */
static bool unknown(ssize_t n)
{
	return n == -EOPNOTSUPP || n == -ENOSYS || n == -EINVAL;
}

static ssize_t just_read(struct call *c)
{
	return readv(c->fd, c->iov, (int)c->count);
}

ATTEMPT read_now(struct call *c)
{
	int saved = errno;

	return outcome(preadv2(c->fd, c->iov, (int)c->count, -1, RWF_NOWAIT), saved);
}

/* A call that blocks on a file: beside the workers; without a thread where we are then (hence noinline: errno). */
struct blocking_call {
	struct call *c;
	ssize_t (*call)(struct call *c);
	ssize_t n;
};

static __attribute__((noinline)) void call_and_block(void *blocking)
{
	struct blocking_call *b = blocking;
	int saved = errno;

	b->n = outcome(b->call(b->c), saved);
}

static ssize_t beside_workers(struct call *c, ssize_t (*call)(struct call *))
{
	struct blocking_call b = { c, call, 0 };

	if (filch_block(call_and_block, &b))
		call_and_block(&b);
	return b.n;
}

/* What the kernel has in memory at once. In a thread outside there is nobody to make way for. */
static ssize_t use_file(struct call *c, ssize_t (*now)(struct call *),
                        ssize_t (*call)(struct call *))
{
	ssize_t n = stack_here() ? now(c) : -EAGAIN;

	return n == -EAGAIN || unknown(n) ? beside_workers(c, call) : n;
}

ATTEMPT try_read(struct call *c)
{
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	ssize_t n;

	if (kind == STREAM_SOCKET || kind == OTHER_SOCKET)
		return c->count == 1 ? try_recv(c) : try_recvmsg(c);
	c->more = true;
	if (kind == REGULAR)
		return use_file(c, read_now, just_read);
	n = read_now(c);
	return unknown(n) ? outcome(call_if_ready(c, POLLIN, just_read), saved) : n;
}

ssize_t filch_read(int fd, void *buf, size_t n, int64_t deadline)
{
	struct iovec iov = { buf, n };

	return filch_readv(fd, &iov, 1, deadline);
}

/* The vector is only read. */
static struct call vector_call(int fd, const struct iovec *iov, int n)
{
	return (struct call){ .fd = fd, .iov = (struct iovec *)(uintptr_t)iov, .count = (size_t)n };
}

ssize_t filch_readv(int fd, const struct iovec *iov, int n, int64_t deadline)
{
	struct call c = vector_call(fd, iov, n);
	bool any = false;
	int saved = errno;

	if (n < 0 || n > IOV_MAX)
		return -EINVAL;
	for (int i = 0; i < n; i++)
		any |= iov[i].iov_len > 0;
	/* To read nothing never blocks. */
	return any ? call_perform(READING, try_read, &c, deadline) : outcome(just_read(&c), saved);
}

/* ---- writing ---- */

ATTEMPT try_send(struct call *c)
{
	int saved = errno, flags = c->flags | MSG_DONTWAIT | MSG_NOSIGNAL;

	return outcome(send(c->fd, c->iov->iov_base, c->iov->iov_len, flags), saved);
}

ATTEMPT try_sendmsg(struct call *c)
{
	struct msghdr message = message_of(c);
	int saved = errno;

	return outcome(sendmsg(c->fd, &message, c->flags | MSG_DONTWAIT | MSG_NOSIGNAL), saved);
}

ssize_t filch_send(int fd, const void *buf, size_t n, int flags, int64_t deadline)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };

	return call_perform(WRITING, try_send,
	                    &(struct call){ .fd = fd, .iov = &iov, .count = 1, .flags = flags },
	                    deadline);
}

ssize_t filch_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline)
{
	struct call c = { .fd = fd,
		          .message = (struct msghdr *)(uintptr_t)message,
		          .flags = flags };

	return call_perform(WRITING, try_sendmsg, &c, deadline);
}

/* That much a pipe takes at once when it is ready at all, even one that blocks. */
static ssize_t write_little(struct call *c)
{
	size_t n = c->iov->iov_len;

	return write(c->fd, c->iov->iov_base, n < PIPE_BUF ? n : PIPE_BUF);
}

static ssize_t just_write(struct call *c)
{
	return writev(c->fd, c->iov, (int)c->count);
}

ATTEMPT write_now(struct call *c)
{
	int saved = errno;

	return outcome(pwritev2(c->fd, c->iov, (int)c->count, -1, RWF_NOWAIT), saved);
}

ATTEMPT try_write(struct call *c)
{
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	ssize_t n;

	if (kind == STREAM_SOCKET || kind == OTHER_SOCKET)
		return c->count == 1 ? try_send(c) : try_sendmsg(c);
	if (kind == REGULAR)
		return use_file(c, write_now, just_write);
	n = write_now(c);
	if (!unknown(n) || !c->count)
		return n;
	return outcome(call_if_ready(c, POLLOUT, write_little), saved);
}

ssize_t filch_write(int fd, const void *buf, size_t n, int64_t deadline)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };

	return filch_writev(fd, &iov, 1, deadline);
}

ssize_t filch_writev(int fd, const struct iovec *iov, int n, int64_t deadline)
{
	struct call c = vector_call(fd, iov, n);

	return n < 0 || n > IOV_MAX ? -EINVAL : call_perform(WRITING, try_write, &c, deadline);
}

/* ---- files to sockets; readiness ---- */

/* Bytes of a file to send at once to what blocks: they lie on the caller's stack. */
#define PIECE 4096

/* sendfile(2) would block on an output that does: a piece of the file by hand. */
static ssize_t send_piece(struct call *c)
{
	off_t from = c->offset ? *c->offset : lseek(c->file, 0, SEEK_CUR);
	char piece[PIECE];
	ssize_t n = from < 0 ? -1 : pread(c->file, piece, c->n < PIECE ? c->n : PIECE, from);

	if (n > 0)
		n = send(c->fd, piece, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0 && c->offset)
		*c->offset += n;
	else if (n > 0)
		lseek(c->file, n, SEEK_CUR);
	return n;
}

static ssize_t just_sendfile(struct call *c)
{
	return sendfile(c->fd, c->file, c->offset, c->n);
}

ATTEMPT try_sendfile(struct call *c)
{
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	bool blocks = !load_relaxed(&c->d->nonblocking); /* relaxed: see descriptor_kind() */

	if (blocks && (kind == STREAM_SOCKET || kind == OTHER_SOCKET))
		return outcome(send_piece(c), saved);
	if (blocks && c->n > PIPE_BUF)
		c->n = PIPE_BUF;
	if (blocks && kind == OTHER)
		return outcome(call_if_ready(c, POLLOUT, just_sendfile), saved);
	return outcome(just_sendfile(c), saved);
}

ssize_t filch_sendfile(int out, int in, off_t *offset, size_t n, int64_t deadline)
{
	return call_perform(WRITING, try_sendfile,
	                    &(struct call){ .fd = out, .file = in, .offset = offset, .n = n },
	                    deadline);
}

ATTEMPT try_poll(struct call *c)
{
	int n = descriptor_ready_for(c->d, c->fd, c->events);

	return n ? n : -EAGAIN;
}

int filch_poll(int fd, short events, int64_t deadline)
{
	return (int)call_perform(EITHER, try_poll, &(struct call){ .fd = fd, .events = events },
	                         deadline);
}
