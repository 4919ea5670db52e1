/* SPDX-License-Identifier: MIT */
/*
 * Calls on descriptors: attempt without blocking; wait if there is nothing to be done; attempt
 * again.
 *
 * Attempts are functions of their own, never inlined, since each uses errno, whose address must not
 * be kept across a wait: the task may go on in another thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "descriptor.h"
#include "worker.h"

#define ATTEMPT static __attribute__((noinline)) ssize_t
/* Between attempts to connect to a local socket whose backlog is full. */
#define BACKLOG_PAUSE ((int64_t)1000000)

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

static ssize_t perform(int side, ssize_t (*attempt)(struct call *), struct call *c,
                       int64_t deadline)
{
	int late = 0, error = -EBADF;
	bool wait, looked = false;
	uint64_t used;
	ssize_t n;

	c->d = descriptor_enter(c->fd, &error);
	if (!c->d)
		return error;
	if (side != EITHER)
		c->events = side == READING ? POLLIN : POLLOUT;
	wait = side == READING && !descriptor_may(c->d, side);
	do {
		late = wait ? descriptor_wait(c->d, c->fd, side, c->events, deadline) : 0;
		n = late;
		used = 0;
		if (late && (descriptor_closing(c->d) || (late != -ETIMEDOUT && late != -ECANCELED)))
			break;
		used = descriptor_use(c->d, side);
		n = attempt(c); /* what is ready is ready, also after a deadline or a cancel */
		wait = c->again = true;
		if (!late && deadline <= 0 && !descriptor_closing(c->d) && !filch_cancelled())
			late = -ETIMEDOUT; /* what a wait would end with */
	} while (n == -EAGAIN && (!late || descriptor_expects(c->d, &deadline, &looked)));
	if (n == -EAGAIN)
		n = late;
	else if (c->more || n < 0 || used & EAGER)
		descriptor_more(c->d, side, used);
	descriptor_leave(c->d, c->fd);
	return n;
}

/* ---- reading ---- */

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
 * Of a stream what was received ahead comes first. Urgent bytes and reports of errors are no part
 * of it. Who only takes messages may want what comes beside the bytes, which a receiver drops.
 */
static ssize_t receive(struct call *c, ssize_t (*just)(void *))
{
	struct msghdr to = { .msg_iov = c->iov, .msg_iovlen = c->count };
	ssize_t n;

	if (descriptor_kind(c->d, c->fd) != STREAM_SOCKET || c->flags & (MSG_OOB | MSG_ERRQUEUE)) {
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

	return perform(READING, try_recv,
	               &(struct call){ .fd = fd, .iov = &iov, .count = 1, .flags = flags },
	               deadline);
}

ssize_t filch_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline)
{
	struct call c = { .fd = fd,
		          .message = message,
		          .flags = flags,
		          .iov = message->msg_iov,
		          .count = message->msg_iovlen };

	return perform(READING, try_recvmsg, &c, deadline);
}

/*
 * Does this error of preadv2 or pwritev2 say that the descriptor, or the kernel, has no RWF_NOWAIT?
 */
static bool unknown(ssize_t n)
{
	return n == -EOPNOTSUPP || n == -ENOSYS || n == -EINVAL;
}

/*
 * Look and call as one step, for what would block if another task took what was there in between.
 * The lock is held across the calls; only those who use such a descriptor at the same time wait.
 */
static ssize_t if_ready(struct call *c, short events, ssize_t (*call)(struct call *))
{
	uint64_t *alone = &c->d->side[EITHER].word, word = lock(alone);
	struct pollfd p = { .fd = c->fd, .events = events };
	ssize_t n = -1;

	if (poll(&p, 1, 0) > 0)
		n = call(c);
	else
		errno = EAGAIN;
	unlock(alone, word);
	return n;
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
	return unknown(n) ? outcome(if_ready(c, POLLIN, just_read), saved) : n;
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
	return any ? perform(READING, try_read, &c, deadline) : outcome(just_read(&c), saved);
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

	return perform(WRITING, try_send,
	               &(struct call){ .fd = fd, .iov = &iov, .count = 1, .flags = flags },
	               deadline);
}

ssize_t filch_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline)
{
	struct call c = { .fd = fd,
		          .message = (struct msghdr *)(uintptr_t)message,
		          .flags = flags };

	return perform(WRITING, try_sendmsg, &c, deadline);
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
	return outcome(if_ready(c, POLLOUT, write_little), saved);
}

ssize_t filch_write(int fd, const void *buf, size_t n, int64_t deadline)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };

	return filch_writev(fd, &iov, 1, deadline);
}

ssize_t filch_writev(int fd, const struct iovec *iov, int n, int64_t deadline)
{
	struct call c = vector_call(fd, iov, n);

	return n < 0 || n > IOV_MAX ? -EINVAL : perform(WRITING, try_write, &c, deadline);
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
		return outcome(if_ready(c, POLLOUT, just_sendfile), saved);
	return outcome(just_sendfile(c), saved);
}

ssize_t filch_sendfile(int out, int in, off_t *offset, size_t n, int64_t deadline)
{
	return perform(WRITING, try_sendfile,
	               &(struct call){ .fd = out, .file = in, .offset = offset, .n = n }, deadline);
}

ATTEMPT try_poll(struct call *c)
{
	int n = descriptor_ready_for(c->d, c->fd, c->events);

	c->more = n > 0; /* nothing was used up: others who wait may see it too */
	return n ? n : -EAGAIN;
}

int filch_poll(int fd, short events, int64_t deadline)
{
	return (int)perform(EITHER, try_poll, &(struct call){ .fd = fd, .events = events },
	                    deadline);
}

/* ---- connections ---- */

static ssize_t just_accept(struct call *c)
{
	return accept4(c->fd, c->address, c->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ATTEMPT try_accept(struct call *c)
{
	int saved = errno, kind = descriptor_kind(c->d, c->fd);
	bool blocks = !load_relaxed(&c->d->nonblocking); /* relaxed: see descriptor_kind() */
	ssize_t n = outcome(blocks ? if_ready(c, POLLIN, just_accept) : just_accept(c), saved);

	c->more = true;
	if ((n >= 0 || n == -EAGAIN) && !load_relaxed(&c->d->accepts)) /* relaxed: a hint */
		store_relaxed(&c->d->accepts, (uint8_t)1); /* relaxed: the same */
	if (n >= 0)
		descriptor_made((int)n, kind, true);
	return n;
}

int filch_accept(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline)
{
	return (int)perform(READING, try_accept,
	                    &(struct call){ .fd = fd, .address = addr, .length = len }, deadline);
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
